/**
 * What may be done to inline views, by dice: appends that know them and appends that do not, right and stale; readers who
 * fill them; views that become inline and are left. The generator remembers what it was told, so that each answer is
 * reached often.
 */
import { Effect } from "effect"
import { limits } from "../../src/Admission.ts"
import type { CheckpointStore } from "../../src/CheckpointStore.ts"
import type { StreamId, Version } from "../../src/Event.ts"
import type { Append, DocumentWrite, EventStore, Status, ViewWrite, Write } from "../../src/EventStore.ts"
import type { InlineView, InlineViews } from "../../src/InlineViews.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import type { ViewDefinition, ViewStore } from "../../src/ViewStore.ts"
import type { Dice } from "./dice.ts"

/** The stores under comparison. */
export interface Inlines {
  readonly events: EventStore["Service"]
  readonly inline: InlineViews["Service"]
  readonly views: ViewStore["Service"]
  readonly checkpoints: CheckpointStore["Service"]
}

/** One thing to do to both. */
export interface Deed {
  readonly what: string
  readonly ask: (stores: Inlines) => Effect.Effect<unknown, unknown>
  /** Tells what became of it. */
  readonly learn?: (answer: unknown) => void
}

type View = InlineView & ViewDefinition

/** Two versions of one, and two that share a type of events. */
export const views: ReadonlyArray<View> = [
  { name: "one", version: 1, indexes: [], types: ["A"] },
  { name: "one", version: 2, indexes: [], types: ["A", "B"] },
  { name: "two", version: 1, indexes: [{ field: "n", type: "number" }], types: ["B", "C"] },
  { name: "three", version: 1, indexes: [], types: ["D"] }
]
const types = ["A", "B", "C", "D", "of nobody"]
const tenants = ["t1", "été'"]
const keys = ["a", "b", "A", "𝒳", "%'"]
const categories = ["c", "c", "c", "c", "outbox"]
const commandIds = Array.from({ length: 40 }, (_, index) => `command ${index}`)

const streams: ReadonlyArray<StreamId> = tenants.flatMap((tenant) =>
  categories.flatMap((category) => Array.from({ length: 12 }, (_, id) => ({ tenant, category, id: `${id}` })))
)

const nameOf = ({ name, version }: { readonly name: string; readonly version: number }) => `${name} ${version}`
const placeOf = (view: string, tenant: string, key: string) => JSON.stringify([view, tenant, key])

/** What the generator remembers: as far as it was told, and it may be wrong. */
interface Memory {
  readonly versions: Map<string, Version>
  readonly documents: Map<string, string | undefined>
  readonly inline: Set<string>
  readonly sent: Array<Append>
}

/** Where deeds come from. */
export const make = (dice: Dice): () => Deed => {
  const memory: Memory = { versions: new Map(), documents: new Map(), inline: new Set(), sent: [] }
  return () => {
    switch (dice.weigh({ append: 66, enter: 5, catchUp: 12, leave: 1, fill: 7, hold: 3, write: 3, read: 3 })) {
      case "append":
        return appendGroup(dice, memory)
      case "enter":
        return enter(memory, dice.pick(views))
      case "catchUp":
        return catchUp(memory, dice.pick(views))
      case "leave":
        return leave(memory, dice.pick(views))
      case "fill":
        return fill(dice, dice.pick(views))
      case "hold":
        return hold(dice, dice.pick(views))
      case "write":
        return byHand(dice, dice.pick(views))
      case "read":
        return look
    }
  }
}

const appendGroup = (dice: Dice, memory: Memory): Deed => {
  const group = Array.from({ length: 1 + dice.below(4) }, () => nextAppend(dice, memory))
  return {
    what: `append ${Sample.describe(group)}`,
    ask: ({ events }) => events.append(group),
    learn: (answer) => learn(memory, group, answer as ReadonlyArray<Status>)
  }
}

const nextAppend = (dice: Dice, memory: Memory): Append => {
  if (memory.sent.length > 0 && dice.chance(8)) return dice.pick(memory.sent)
  const count = dice.chance(75) ? 1 : 2 + dice.below(2)
  const made = new Map<string, string | undefined>()
  const chosen = new Map(
    Array.from({ length: count }, () => dice.pick(streams)).map((one) => [JSON.stringify(one), one])
  )
  const knows = dice.chance(97)
  const [first, ...rest] = Array.from(chosen.values(), (stream): Write => {
    const events = Array.from({ length: dice.chance(10) ? 0 : 1 + dice.below(3) }, () => ({
      ...Sample.event({ type: dice.pick(types), data: { n: dice.below(100) } }),
      eventId: dice.uuid()
    }))
    const version = memory.versions.get(JSON.stringify(stream)) ?? 0
    const expected = dice.chance(80) ? version : dice.pick(["any", "exists", "noStream", version + 1] as const)
    const receipts = dice.chance(90) ? [] : [Sample.receipt(dice.pick(commandIds))]
    const write = { stream, expected, events, receipts }
    return knows && events.length > 0 ? { ...write, views: viewsOf(dice, memory, write, made) } : write
  })
  return [first!, ...rest]
}

const viewsOf = (
  dice: Dice,
  memory: Memory,
  { events, stream }: Write,
  made: Map<string, string | undefined>
): ReadonlyArray<ViewWrite> => {
  // A writer has one version of a view.
  const own = views.filter(({ name, version }) => name !== "one" || version === (stream.id === "3" ? 2 : 1))
  const wanted = own.filter((view) => events.some(({ type }) => view.types.includes(type)) && !dice.chance(1))
  const taken = dice.chance(2) ? [...wanted, dice.pick(views)] : wanted
  return taken.map((view) => {
    const { name, version } = view
    const isInline = memory.inline.has(nameOf(view)) !== dice.chance(4)
    const documents = isInline ? documentsOf(dice, memory, view, stream.tenant, made) : undefined
    return { view: { name, version }, documents }
  })
}

const documentsOf = (
  dice: Dice,
  { documents }: Memory,
  view: View,
  tenant: string,
  made: Map<string, string | undefined>
): ReadonlyArray<DocumentWrite> => {
  const chosen = [...new Set(Array.from({ length: dice.below(4) }, () => dice.pick(keys)))]
  return chosen.map((key) => {
    const place = placeOf(nameOf(view), tenant, key)
    const known = made.has(place) ? made.get(place) : documents.get(place)
    const expected = dice.chance(94) ? known : dice.pick([undefined, "{}", "{\"n\":1}"])
    const document = dice.chance(15) ? expected : dice.chance(12) ? undefined : textOf(dice)
    made.set(place, document)
    return { key: dice.chance(1) ? dice.pick(["", "a\0", "x".repeat(256)]) : key, expected, document }
  })
}

const texts = ["{}", "{\"n\":1}", "{ \"n\" : 1 }", "{\"t\":\"é\"}", "{\"n\":1e2}"]
const malformed = ["", "[]", "{\"a\":\"\\u0000\"}", JSON.stringify({ text: "x".repeat(limits.documentBytesMax) })]

const textOf = (dice: Dice): string => {
  if (dice.chance(2)) return dice.pick(malformed)
  return dice.chance(30) ? dice.pick(texts) : JSON.stringify({ n: dice.below(1_000) })
}

const learn = (memory: Memory, group: ReadonlyArray<Append>, statuses: ReadonlyArray<Status>): void => {
  for (const [index, append] of group.entries()) {
    const status = statuses[index]!
    if (status._tag === "Committed") {
      memory.sent.push(append)
      if (memory.sent.length > 30) memory.sent.shift()
      for (const [at, { stream, views = [] }] of append.entries()) {
        memory.versions.set(JSON.stringify(stream), status.writes[at]!.version)
        for (const { documents = [], view } of views) {
          for (const { document, key } of documents) {
            memory.documents.set(placeOf(nameOf(view), stream.tenant, key), document)
          }
        }
      }
    }
    if (status._tag === "DocumentConflict") {
      const { actual, key, view, write } = status
      memory.documents.set(placeOf(nameOf(view), append[write]!.stream.tenant, key), actual)
    }
    if (status._tag === "Conflict") memory.versions.set(JSON.stringify(append[status.write]!.stream), status.actual)
    if (status._tag === "ViewsChanged") {
      if (status.state === "inline") memory.inline.add(nameOf(status.view))
      else memory.inline.delete(nameOf(status.view))
    }
  }
}

const enter = (memory: Memory, view: View): Deed => ({
  what: `enter ${nameOf(view)}`,
  ask: ({ inline }) => inline.enter(view),
  learn: (answer) => {
    const isInline = typeof answer === "object" && answer !== null && "_tag" in answer && answer._tag === "inline"
    if (isInline) memory.inline.add(nameOf(view))
    else memory.inline.delete(nameOf(view))
  }
})

/** What a reader does who has come to the end of the log. */
const catchUp = (memory: Memory, view: View): Deed => {
  const { ask, learn } = enter(memory, view)
  return {
    what: `catch up ${nameOf(view)}`,
    ask: (stores) =>
      Effect.andThen(Effect.ignore(Effect.flatMap(ask(stores), () => advance(stores, view, 0n))), ask(stores)),
    learn: learn!
  }
}

const advance = (
  { checkpoints, events }: Inlines,
  view: View,
  short: bigint,
  work: Effect.Effect<void, unknown> = Effect.void
) =>
  Effect.gen(function*() {
    const found = yield* checkpoints.get(idOf(view))
    const head = yield* events.head
    const to = head > short ? head - short : head
    const step = { id: idOf(view), revision: found?.revision ?? 0, to, epoch: yield* events.epoch }
    return (yield* checkpoints.advance(step, work)).checkpoint.position
  })

const leave = (memory: Memory, view: View): Deed => ({
  what: `leave ${nameOf(view)}`,
  ask: ({ inline }) => inline.leave(view),
  learn: () => memory.inline.delete(nameOf(view))
})

const idOf = ({ name, version }: View) => ({ name, version, partition: 0 })

/** A reader goes on to the end of the log, or nearly. */
const fill = (dice: Dice, view: View): Deed => {
  const short = dice.chance(25) ? BigInt(dice.below(4)) : 0n
  const [tenant, key, document] = [dice.pick(tenants), dice.pick(keys), JSON.stringify({ filled: dice.below(100) })]
  const writes = dice.chance(60)
  return {
    what: `fill ${nameOf(view)} ${tenant} ${key} ${document}`,
    ask: (stores) =>
      advance(stores, view, short, writes ? stores.views.write(view, [{ tenant, key, document }]) : Effect.void)
  }
}

const hold = (dice: Dice, view: View): Deed =>
  dice.chance(20)
    ? {
      what: `pause ${nameOf(view)}`,
      ask: ({ checkpoints, events }) =>
        Effect.flatMap(events.epoch, (epoch) => Effect.asVoid(checkpoints.pause(idOf(view), "why", epoch)))
    }
    : { what: `resume ${nameOf(view)}`, ask: ({ checkpoints }) => Effect.asVoid(checkpoints.resume(idOf(view))) }

/** What nobody may do to a view that is inline. */
const byHand = (dice: Dice, view: View): Deed => {
  const [tenant, key] = [dice.pick(tenants), dice.pick(keys)]
  return dice.chance(80)
    ? {
      what: `write ${nameOf(view)} ${tenant} ${key}`,
      ask: ({ views }) => views.write(view, [{ tenant, key, document: "{\"by\":\"hand\"}" }])
    }
    : { what: `clear ${nameOf(view)}`, ask: ({ views }) => views.clear(view) }
}

/** All that there is to be seen of them. */
const look: Deed = {
  what: "look",
  ask: ({ checkpoints, events, inline, views: store }) =>
    Effect.gen(function*() {
      const documents = yield* Effect.forEach(views, (view) =>
        Effect.forEach(tenants, (tenant) => store.list(view, { tenant, limit: 1_000 })))
      const listed = (yield* inline.list).map((view) => ({ ...view, types: view.types.toSorted() }))
      const progress = (yield* checkpoints.list()).map(({ name, paused, position, revision, version }) =>
        [name, version, position, revision, paused] as const
      )
      return { documents, listed, progress, head: yield* events.head }
    })
}

/** Looks at everything. */
export const everything = look
