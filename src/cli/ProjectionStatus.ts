/**
 * How projections stand, told by what is kept of them. No worker is asked, so it can be told of those that nobody runs;
 * what a worker alone knows, that it tries something again, is not in it.
 */
import { Effect } from "effect"
import { leaseName } from "../internal/readerNames.ts"
import { Lease } from "../Lease.ts"
import type { Projections, ProjectionStatus } from "../Projections.ts"

/**
 * - `running`: a worker has it
 * - `stopped`: no worker goes on with it, since the log is not the one that it has read
 * - `unattended`: no worker has it, or has had it within the last seconds
 * - `paused`: nobody goes on before somebody says so
 * - `never run`: nothing is kept of it
 * - `in memory`: a fold, of which nothing ever is
 * - `inline`: whoever appends writes it, and it is never behind
 */
export type State = "running" | "stopped" | "unattended" | "paused" | "never run" | "in memory" | "inline"

/** How one stands. */
export interface Status extends Omit<ProjectionStatus, "state" | "rebuild"> {
  readonly state: State
  /** Positions a second, and seconds until it has caught up; of one that is far behind, and moves. */
  readonly pace: { readonly perSecond: number; readonly remainingSeconds: number } | undefined
}

/** So far behind it is worth to be looked at twice, to tell how fast it is. */
const farBehind = 1_000n

/** Tells of all projections, or of one by its name. */
export const gather = Effect.fnUntraced(function*({ status }: Projections["Service"], name?: string) {
  const { list } = yield* Lease
  const held = new Set((yield* list).map(({ name }) => name))
  const first = (yield* status(name)).map((each) => ({ ...each, state: stateOf(each, held) }))
  if (!first.some(({ lagEvents, state }) => state === "running" && lagEvents > farBehind)) {
    return first.map((each): Status => ({ ...each, pace: undefined }))
  }
  yield* Effect.sleep("1 second")
  const second = yield* status(name)
  return first.map((each): Status => {
    const { lagEvents = 0n, position = 0n } = second.find(({ name }) => name === each.name) ?? {}
    const perSecond = Number(position - each.position)
    const pace = perSecond <= 0 ? undefined : { perSecond, remainingSeconds: Number(lagEvents) / perSecond }
    return { ...each, pace }
  })
})

const stateOf = (
  { kind, live, name, partitions, state, version, versions }: ProjectionStatus,
  held: ReadonlySet<string>
): State => {
  if (kind === "fold") return "in memory"
  if (state === "paused" || state === "stopped" || state === "inline") return state
  if (partitions.some(({ partition }) => held.has(leaseName({ name, version, partition })))) return "running"
  const hasBegun = live?.version === version || versions.some((each) => each.version === version)
  return hasBegun ? "unattended" : "never run"
}

/** As a machine may read it: positions are text. */
export const toJson = (all: ReadonlyArray<Status>): string =>
  JSON.stringify(all, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value))
