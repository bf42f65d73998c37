/**
 * What readers of the log, operators and applications ask of their stores, by dice: right and stale, malformed, alone
 * and in transactions inside transactions, of which some fail, die or are interrupted. Two stores that were told the
 * same must answer the same.
 */
import { Effect } from "effect"
import type { CheckpointId, CheckpointStore } from "../../src/CheckpointStore.ts"
import type { DeadLetters, NewDeadLetter, ReaderId } from "../../src/DeadLetters.ts"
import type { StreamId } from "../../src/Event.ts"
import type { Lease } from "../../src/Lease.ts"
import type {
  DocumentChange,
  FieldValue,
  ViewDefinition,
  ViewIndex,
  ViewQuery,
  ViewStore
} from "../../src/ViewStore.ts"
import type { Dice } from "./dice.ts"

/** Stores under comparison. */
export interface Readers {
  readonly checkpoints: CheckpointStore["Service"]
  readonly views: ViewStore["Service"]
  readonly letters: DeadLetters["Service"]
  readonly leases: Lease["Service"]
}

/** One thing to do to both. */
export interface Deed {
  /** What kind of deed it is; whatever else it is can be told from the seed. */
  readonly what: string
  readonly ask: (readers: Readers) => Effect.Effect<unknown, unknown>
}

const names = ["a", "A", "\uFFFD", "𝒳", "%'"]
const tenants = ["t1", "t2", "été'"]
const keys = ["1", "10", "2", "a", "A", "a!", "\uFFFD", "𝒳", "%'", "constructor"]
const malformed = ["", "\0", "a\0b", "\uD800", "x".repeat(256)]
const texts = ["", "a", "b", "B", "10", "2", "\uFFFD", "𝒳", "true", "null", "'"]
const numbers = [-1e21, -2, -0.1, 0, 1, 2, 10, 2 ** 53, 1e300]

const indexes: ReadonlyArray<ViewIndex> = [
  { field: "s", type: "text" },
  { field: "n", type: "number" },
  { field: "b", type: "boolean" }
]

const views: ReadonlyArray<ViewDefinition> = ["v", "v-1"].flatMap((name) =>
  [1, 2].map((version) => ({ name, version, indexes }))
)

/** Mostly one of these, and now and then something that cannot be. */
const oneOf = (dice: Dice, choices: ReadonlyArray<string>) => dice.chance(1) ? dice.pick(malformed) : dice.pick(choices)

const checkpointId = (dice: Dice): CheckpointId => ({
  name: oneOf(dice, names.slice(0, 2)),
  version: 1 + dice.below(2),
  partition: dice.below(2)
})

const reader = (dice: Dice): ReaderId => ({ name: oneOf(dice, names), version: 1 + dice.below(2) })

/** A stream, and where it is parked, which no other one is. */
const stream = (dice: Dice): { readonly stream: StreamId; readonly fromPosition: bigint } => {
  const number = dice.below(8)
  const second = dice.chance(20) ? 8 : 0
  return {
    stream: { tenant: dice.pick(["t1"]), category: "c", id: `${number}` },
    fromPosition: BigInt(1 + number + second)
  }
}

const document = (dice: Dice): string => {
  const any: ReadonlyArray<unknown> = [null, "x", 1, true, [1], { s: "a" }]
  const field = (values: ReadonlyArray<unknown>) => dice.chance(15) ? dice.pick(any) : dice.pick(values)
  return JSON.stringify({
    ...(dice.chance(80) && { s: field(texts) }),
    ...(dice.chance(80) && { n: field(numbers) }),
    ...(dice.chance(80) && { b: field([true, false]) }),
    ...(dice.chance(30) && { rest: { of: dice.below(1_000) } })
  })
}

const wrongDocuments = ["", "[]", "1", "{", `{"s":"\\u0000"}`, `{"__proto__":{}}`]

const change = (dice: Dice): DocumentChange => ({
  tenant: oneOf(dice, tenants),
  key: oneOf(dice, keys),
  document: dice.chance(20) ? undefined : dice.chance(1) ? dice.pick(wrongDocuments) : document(dice)
})

/** Different keys, but for those who are careless. */
const changes = (dice: Dice): ReadonlyArray<DocumentChange> => {
  const all = Array.from({ length: dice.below(6) }, () => change(dice))
  if (dice.chance(3)) return [...all, ...all.slice(0, 1)]
  return [...new Map(all.map((change) => [JSON.stringify([change.tenant, change.key]), change])).values()]
}

const value = (dice: Dice): FieldValue => dice.pick([...texts, ...numbers, true, false, null])

const query = (dice: Dice): ViewQuery => ({
  tenant: oneOf(dice, tenants),
  where: dice.chance(50)
    ? undefined
    : Array.from({ length: dice.below(3) }, () => ({ field: dice.pick(indexes).field, equals: value(dice) })),
  orderBy: dice.chance(40)
    ? undefined
    : { field: dice.pick(indexes).field, direction: dice.pick(["ascending", "descending"] as const) },
  after: dice.chance(50) ? undefined : { key: oneOf(dice, keys), value: dice.chance(10) ? undefined : value(dice) },
  limit: dice.pick([1, 2, 5, 100])
})

const letter = (dice: Dice): NewDeadLetter => ({
  reader: reader(dice),
  position: BigInt(dice.chance(2) ? 0 : 1 + dice.below(12)),
  stream: stream(dice).stream,
  type: oneOf(dice, ["T", "x.\"y\""]),
  reason: dice.pick(["TypeUnknown", "Undecodable", "HandlerFailed", "SchemaTooNew"] as const),
  error: dice.pick(["", "a\0b", "\uD800", "x".repeat(4_001), "why"])
})

const checkpointDeed = (dice: Dice): Deed => {
  const [id, reason] = [checkpointId(dice), dice.pick(["", "why", "a\0"])]
  const listed = dice.chance(50) ? undefined : oneOf(dice, names)
  return dice.pick<Deed>([
    { what: "get", ask: ({ checkpoints }) => checkpoints.get(id) },
    { what: "list", ask: ({ checkpoints }) => checkpoints.list(listed) },
    { what: "pause", ask: ({ checkpoints }) => checkpoints.pause(id, reason, "e") },
    { what: "resume", ask: ({ checkpoints }) => checkpoints.resume(id) },
    { what: "resume", ask: ({ checkpoints }) => checkpoints.resume(id) },
    { what: "remove", ask: ({ checkpoints }) => checkpoints.remove(id) }
  ])
}

const roomDeed = (dice: Dice): Deed => {
  const view = dice.pick(views)
  const some = { ...view, indexes: indexes.filter(() => dice.chance(60)) }
  const wrong = { ...view, version: dice.pick([0, 1.5]), indexes: dice.pick([[], [indexes[0]!, indexes[0]!]]) }
  const from = dice.pick([undefined, 1, 2])
  const to = { version: 1 + dice.below(2), pinned: dice.chance(30) }
  switch (dice.weigh({ prepare: 45, wrong: 2, clear: 8, drop: 10, live: 10, flip: 25 })) {
    case "prepare":
      return { what: "prepare", ask: ({ views }) => views.prepare(some) }
    case "wrong":
      return { what: "prepare", ask: ({ views }) => views.prepare(wrong) }
    case "clear":
      return { what: "clear", ask: ({ views }) => views.clear(view) }
    case "drop":
      return { what: "drop", ask: ({ views }) => views.drop(view) }
    case "live":
      return { what: "live", ask: ({ views }) => views.live(view.name) }
    case "flip":
      return { what: "flip", ask: ({ views }) => views.flip(view.name, { from, to }) }
  }
}

const documentDeed = (dice: Dice): Deed => {
  const view = dice.pick(views)
  const [written, asked] = [changes(dice), query(dice)]
  const wanted = [...new Set(Array.from({ length: dice.below(5) }, () => oneOf(dice, keys)))]
  const of = oneOf(dice, tenants)
  const byKey = (found: ReadonlyArray<{ readonly key: string }>) => found.toSorted((a, b) => a.key < b.key ? -1 : 1)
  switch (dice.weigh({ read: 20, write: 45, list: 25, count: 10 })) {
    case "read":
      return {
        what: "read",
        ask: ({ views }) => Effect.map(views.read(view, wanted.map((key) => ({ tenant: of, key }))), byKey)
      }
    case "write":
      return { what: "write", ask: ({ views }) => views.write(view, written) }
    case "list":
      return { what: "list documents", ask: ({ views }) => views.list(view, asked) }
    case "count":
      return { what: "count documents", ask: ({ views }) => views.count(view, asked) }
  }
}

const letterDeed = (dice: Dice): Deed => {
  const [own, given, place] = [reader(dice), letter(dice), stream(dice)]
  const position = BigInt(dice.below(14))
  const after = dice.chance(50) ? undefined : { position, reader: dice.chance(50) ? undefined : reader(dice) }
  const listed = { reader: dice.chance(50) ? undefined : own, after, limit: dice.pick([undefined, 1, 3]) }
  const parked = { reader: own, ...place }
  switch (dice.weigh({ put: 30, list: 15, get: 8, count: 5, remove: 10, clear: 2, park: 12, parked: 8, unpark: 10 })) {
    case "put":
      return { what: "put", ask: ({ letters }) => letters.put(given) }
    case "list":
      return { what: "list letters", ask: ({ letters }) => letters.list(listed) }
    case "get":
      return { what: "get letter", ask: ({ letters }) => letters.get(own, position) }
    case "count":
      return { what: "count letters", ask: ({ letters }) => letters.count(own) }
    case "remove":
      return { what: "remove letter", ask: ({ letters }) => letters.remove(own, position) }
    case "clear":
      return { what: "clear letters", ask: ({ letters }) => letters.clear(own) }
    case "park":
      return { what: "park", ask: ({ letters }) => letters.park(parked) }
    case "parked":
      return { what: "parked", ask: ({ letters }) => letters.parked(own) }
    case "unpark":
      return { what: "unpark", ask: ({ letters }) => letters.unpark(parked) }
  }
}

/** Alone only: what leases are inside a transaction is nobody's promise. */
const leaseDeed = (dice: Dice): Deed => {
  const claim = { name: oneOf(dice, names), holder: oneOf(dice, ["h1", "h2", "h3"]), millis: 1 + dice.below(3_000) }
  return dice.pick<Deed>([
    { what: "claim", ask: ({ leases }) => leases.claim(claim) },
    { what: "claim", ask: ({ leases }) => leases.claim(claim) },
    { what: "release", ask: ({ leases }) => leases.release(claim) },
    { what: "leases", ask: ({ leases }) => leases.list }
  ])
}

/** How work ends, whatever it has done. */
type Ending = "succeeds" | "fails" | "dies" | "is interrupted"

const endings: Readonly<Record<Ending, Effect.Effect<void, string>>> = {
  succeeds: Effect.void,
  fails: Effect.fail("no"),
  dies: Effect.die("defect"),
  "is interrupted": Effect.interrupt
}

/** Work of several deeds, of which each may be the last. Some go on after a failure, as an application may do. */
const work = (dice: Dice, depth: number): { readonly ending: Ending; readonly run: Deed["ask"] } => {
  const parts = Array.from(
    { length: 1 + dice.below(4) },
    () => ({ part: inside(dice, depth), goesOn: dice.chance(80) })
  )
  const ending = dice.weigh<Ending>({ succeeds: 70, fails: 14, dies: 8, "is interrupted": 8 })
  const run: Deed["ask"] = (readers) =>
    Effect.gen(function*() {
      const answers: Array<unknown> = []
      for (const { goesOn, part } of parts) {
        const asked = part.ask(readers)
        answers.push(goesOn ? yield* Effect.result(asked) : yield* asked)
      }
      yield* endings[ending]
      return answers
    })
  return { ending, run }
}

const inside = (dice: Dice, depth: number): Deed =>
  depth > 0 && dice.chance(20)
    ? together(dice, depth - 1)
    : dice.pick([checkpointDeed, roomDeed, documentDeed, letterDeed, documentDeed])(dice)

/** Which revision a runner believes that a checkpoint has. */
const believed = { right: 0, late: -1, early: 1 }

/** Work in one transaction, with a checkpoint or without. */
const together = (dice: Dice, depth: number): Deed => {
  const { ending, run } = work(dice, depth)
  if (dice.chance(30)) {
    return { what: `transaction ${ending}`, ask: (readers) => readers.checkpoints.transaction(run(readers)) }
  }
  const [id, to] = [checkpointId(dice), BigInt(dice.below(1_000))]
  const belief = dice.weigh({ right: 80, late: 12, early: 8 })
  return {
    what: `step ${belief} ${ending}`,
    ask: (readers) =>
      Effect.gen(function*() {
        const found = yield* readers.checkpoints.get(id)
        const revision = Math.max(0, (found?.revision ?? 0) + believed[belief])
        return yield* readers.checkpoints.advance({ id, revision, to, epoch: "e" }, run(readers))
      })
  }
}

/** The next thing that somebody does. */
export const next = (dice: Dice): Deed => {
  switch (dice.weigh({ together: 35, checkpoint: 12, room: 8, document: 25, letter: 15, lease: 5 })) {
    case "together":
      return together(dice, 2)
    case "checkpoint":
      return checkpointDeed(dice)
    case "room":
      return roomDeed(dice)
    case "document":
      return documentDeed(dice)
    case "letter":
      return letterDeed(dice)
    case "lease":
      return leaseDeed(dice)
  }
}

/** All that is kept. */
export const everything: ReadonlyArray<Deed> = [
  { what: "all checkpoints", ask: ({ checkpoints }) => checkpoints.list() },
  { what: "all letters", ask: ({ letters }) => letters.list({ limit: 1_000 }) },
  { what: "all leases", ask: ({ leases }) => leases.list },
  ...names.flatMap((name) =>
    [1, 2].map((version): Deed => ({
      what: "all parked",
      ask: ({ letters }) => letters.parked({ name, version })
    }))
  ),
  ...["v", "v-1"].map((name): Deed => ({ what: "all live", ask: ({ views }) => views.live(name) })),
  ...views.flatMap((view) =>
    tenants.map((tenant): Deed => ({
      what: "all documents",
      ask: ({ views }) => views.list(view, { tenant, limit: 1_000 })
    }))
  )
]
