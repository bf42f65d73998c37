/**
 * Whether an append costs the same however long the log is, and its streams, however many receipts there are, whether
 * the server has statistics, and while somebody holds an old snapshot: ten million events on a PostgreSQL of its own,
 * and in turn the store's append and the bare insert into the same tables, as groups of 64 events for 64 streams.
 *
 * `npm run soak -- flat [EVENTS]`, 10,000,000 events unless given, which take 6 GB of disk while it runs.
 */
import type * as PgConnection from "@effect/sql-pg/PgConnection"
import { Context, Effect, Layer, Result, type Scope } from "effect"
import { SecureRandom } from "effect/crypto"
import { admitMetadata } from "../../src/Admission.ts"
import * as Event from "../../src/Event.ts"
import { type Append, EventStore } from "../../src/EventStore.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import { randomOf, type Seeded } from "../../src/testing/Seeded.ts"
import { entryOf } from "../bench/ledger.ts"
import * as Log from "./flatLog.ts"

/** What came out: the store's rate, the bare insert's, and their ratio, the median of the rounds and their range. */
export interface Report {
  readonly fillSeconds: number
  readonly cells: Readonly<Record<string, string>>
  /** The median time of an append before and after the groups that were appended under an old snapshot. */
  readonly oldSnapshot: { readonly groups: number; readonly firstMillis: number; readonly lastMillis: number }
  readonly events: number
  readonly problems: ReadonlyArray<string>
}

const schema = "flat"
const groupLength = 64
const rounds = 5
const roundMillis = 500
/** Of the bare insert's rate. */
const must = 0.6

interface Campaign {
  readonly store: EventStore["Service"]
  readonly raw: PgConnection.PgConnection
  /** Somebody else's, for what neither of the two does. */
  readonly beside: PgConnection.PgConnection
  readonly random: Seeded
  /** How many events each stream holds, by its id. */
  readonly versions: Map<string, number>
  readonly cells: Record<string, string>
  readonly problems: Array<string>
  position: number
}

/** Runs it on a server that it has for itself. */
export const run = (url: string, events: number): Effect.Effect<Report, unknown> =>
  Effect.scoped(Effect.gen(function*() {
    const campaign = yield* begin(url)
    const families = familiesOf(events)
    const few = { name: "few", length: 10, streams: 1_000 }
    yield* grow(campaign, few)
    yield* cell(campaign, few, "10,000 events, never analysed", false)
    yield* analyse(campaign)
    yield* cell(campaign, few, "10,000 events, analysed", false)
    const started = performance.now()
    for (const family of families) yield* grow(campaign, family)
    const fillSeconds = Math.round((performance.now() - started) / 1_000)
    const all = families.toSorted((a, b) => a.length - b.length)
    const title = `${campaign.position.toLocaleString("en")} events`
    yield* cells(campaign, all, `${title}, statistics of 10,000`, false)
    yield* analyse(campaign)
    yield* cells(campaign, all, `${title}, analysed`, false)
    yield* cells(campaign, all, `${title}, with receipts, 0 before`, true)
    yield* Log.fillReceipts(campaign.beside, schema, 1_000_000)
    yield* cells(campaign, all, `${title}, with receipts, 1,000,000 before`, true)
    const oldSnapshot = yield* underOldSnapshot(campaign, all)
    yield* auditAll(campaign)
    return { fillSeconds, cells: campaign.cells, oldSnapshot, events: campaign.position, problems: campaign.problems }
  }))

const begin = Effect.fnUntraced(function*(url: string): Effect.fn.Return<Campaign, unknown, Scope.Scope> {
  const stores = yield* Layer.build(Postgres.layer({ url, schema }))
  return {
    store: Context.get(stores, EventStore),
    raw: yield* Log.connection(url),
    beside: yield* Log.connection(url),
    random: randomOf(1),
    versions: new Map(),
    cells: {},
    problems: [],
    position: 0
  }
})

/** Most events are in the longest streams, of which there are as many as a group has room for. */
const familiesOf = (events: number): ReadonlyArray<Log.Family> => [
  { name: "longest", length: Math.floor(events * 0.64 / groupLength), streams: groupLength },
  { name: "middle", length: 100, streams: Math.floor(events * 0.0025) },
  { name: "long", length: 1_000, streams: Math.max(groupLength, Math.floor(events * 0.0001)) },
  { name: "short", length: 10, streams: Math.max(groupLength, Math.floor(events * 0.001)) }
]

const grow = Effect.fnUntraced(function*(campaign: Campaign, family: Log.Family) {
  yield* Log.fill(campaign.beside, schema, family, campaign.position)
  campaign.position += family.length * family.streams
  for (let index = 0; index < family.streams; index++) {
    campaign.versions.set(Log.streamId(family, index), family.length)
  }
})

const analyse = ({ beside }: Campaign) => beside.query(`ANALYZE ${schema}.events, ${schema}.receipts`)

// ── What is appended

/** The next events of 64 streams that stand anywhere. */
const nextGroup = ({ random, versions }: Campaign, family: Log.Family, receipts: boolean): ReadonlyArray<Log.Next> => {
  const start = random.below(family.streams)
  // Prime to the number of streams, so that no stream is met twice.
  const steps = [3, 7, 11, 13, 17, 19].filter((step) => family.streams % step !== 0)
  const step = steps[random.below(steps.length)] ?? 1
  return Array.from({ length: groupLength }, (_, index): Log.Next => {
    const id = Log.streamId(family, (start + index * step) % family.streams)
    const commandId = receipts ? SecureRandom.uuidV7Unsafe() : undefined
    return { id, version: versions.get(id)!, data: JSON.stringify(entryOf(index)), commandId }
  })
}

const metadata = Result.getOrThrow(admitMetadata({}))

const appendOf = ({ commandId, data, id, version }: Log.Next): Append => [{
  stream: { tenant: Event.defaultTenant, category: Log.category, id },
  expected: version,
  events: [Result.getOrThrow(Event.make({
    eventId: SecureRandom.uuidV7Unsafe(),
    type: "EntryBooked",
    schemaVersion: 1,
    data: JSON.parse(data),
    metadata
  }))],
  receipts: commandId === undefined
    ? []
    : [{ commandId, hash: Log.hash, events: 1, through: 1, outcome: Log.outcome }]
}]

type Way = (group: ReadonlyArray<Log.Next>) => Effect.Effect<unknown, unknown>

const byStore = ({ problems, store }: Campaign): Way => (group) =>
  Effect.map(store.append(group.map(appendOf)), (statuses) => {
    const failed = statuses.find(({ _tag }) => _tag !== "Committed")
    if (failed !== undefined) problems.push(`an append was answered with ${failed._tag}`)
  })

const byInsert = ({ position, raw }: Campaign): Way => (group) => Log.insert(raw, schema, position, group)

/** Appends a group in one of the two ways; how long that took, in milliseconds. */
const appendNext = Effect.fnUntraced(function*(
  campaign: Campaign,
  way: (campaign: Campaign) => Way,
  family: Log.Family,
  receipts: boolean
) {
  const group = nextGroup(campaign, family, receipts)
  const started = performance.now()
  yield* way(campaign)(group)
  const millis = performance.now() - started
  campaign.position += group.length
  for (const { id, version } of group) campaign.versions.set(id, version + 1)
  return millis
})

// ── What is measured

/** Events a second, right after a checkpoint, which is when the log costs most. */
const rate = Effect.fnUntraced(function*(
  campaign: Campaign,
  way: (campaign: Campaign) => Way,
  family: Log.Family,
  receipts: boolean
) {
  yield* campaign.beside.query("CHECKPOINT")
  let [millis, groups] = [0, 0]
  while (millis < roundMillis) {
    millis += yield* appendNext(campaign, way, family, receipts)
    groups++
  }
  return (groups * groupLength / millis) * 1_000
})

/** The two ways in turn; a first round to warm up does not count. */
const cell = Effect.fnUntraced(function*(campaign: Campaign, family: Log.Family, title: string, receipts: boolean) {
  const measured: Array<readonly [ours: number, raw: number]> = []
  for (let round = 0; round <= rounds; round++) {
    const [first, second] = round % 2 === 0 ? [byStore, byInsert] : [byInsert, byStore]
    const one = yield* rate(campaign, first, family, receipts)
    const other = yield* rate(campaign, second, family, receipts)
    if (round > 0) measured.push(first === byStore ? [one, other] : [other, one])
  }
  const ratios = measured.map(([ours, raw]) => ours / raw)
  const ratio = median(ratios)
  const [ours, raw] = [median(measured.map(([ours]) => ours)), median(measured.map(([, raw]) => raw))]
  const name = `${title}, length ${family.length.toLocaleString("en")}`
  const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
  campaign.cells[name] = `${thousands(ours)} of ${thousands(raw)} events/s: ${ratio.toFixed(2)} (${range})`
  if (ratio < must) campaign.problems.push(`${name}: ${ratio.toFixed(2)} of a bare insert, not ${must}`)
})

const cells = (campaign: Campaign, families: ReadonlyArray<Log.Family>, title: string, receipts: boolean) =>
  Effect.forEach(
    families.filter(({ name }) => name !== "middle"),
    (family) => cell(campaign, family, title, receipts),
    {
      discard: true
    }
  )

const oldSnapshotGroups = 20_000

/** Somebody began a transaction, looked, and went away; since then nothing that dies can be removed. */
const underOldSnapshot = Effect.fnUntraced(function*(campaign: Campaign, families: ReadonlyArray<Log.Family>) {
  const [family] = families
  yield* campaign.beside.query("BEGIN ISOLATION LEVEL REPEATABLE READ")
  yield* campaign.beside.query(`SELECT count(*) FROM (SELECT FROM ${schema}.events LIMIT 1) e`)
  const times: Array<number> = []
  for (let group = 0; group < oldSnapshotGroups; group++) {
    times.push(yield* appendNext(campaign, byStore, family!, true))
  }
  yield* campaign.beside.query("ROLLBACK")
  const tenth = oldSnapshotGroups / 10
  const [firstMillis, lastMillis] = [median(times.slice(0, tenth)), median(times.slice(-tenth))]
  if (lastMillis > 1.5 * firstMillis) campaign.problems.push("appends became slower under an old snapshot")
  return { groups: oldSnapshotGroups, firstMillis: rounded(firstMillis), lastMillis: rounded(lastMillis) }
})

/** Whatever wrote it, the log is dense. */
const auditAll = Effect.fnUntraced(function*({ position, problems, store }: Campaign) {
  let audited = 0n
  while (audited < BigInt(position)) audited = yield* store.audit(audited)
  if ((yield* store.head) !== BigInt(position)) problems.push("the log is not as long as what was written")
})

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!

const rounded = (millis: number): number => Math.round(millis * 100) / 100

const thousands = (rate: number): string => `${(rate / 1_000).toFixed(1)}k`
