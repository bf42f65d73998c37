/**
 * What the runtime counts. Metrics are prebuilt, one per aggregate and command, so that counting costs next to nothing.
 */
import { type Context, Effect, Metric } from "effect"
import type { Definition } from "../AggregateHost.ts"

const active = Metric.gauge("varve_aggregates_active", { description: "Aggregates in memory" })
const waiting = Metric.gauge("varve_mailbox_depth", { description: "Commands that wait in mailboxes" })
const restarts = Metric.counter("varve_aggregate_restarts_total", {
  description: "Aggregate fibers that ended in a defect of the runtime",
  incremental: true
})
const passivations = Metric.counter("varve_aggregate_passivations_total", {
  description: "Aggregates that left memory because nobody asked for them",
  incremental: true
})
const discarded = Metric.counter("varve_snapshots_discarded_total", {
  description: "Snapshots that were in doubt; 0 in health",
  incremental: true
})
const commandDuration = Metric.histogram("varve_command_duration_millis", {
  description: "From the mailbox to the answer, in milliseconds",
  boundaries: Metric.exponentialBoundaries({ start: 0.05, factor: 2, count: 20 })
})

/** Read, never written. */
const pull = (read: () => number) => ({ get: () => ({ value: read() }), update: () => {}, modify: () => {} })

/** The numbers of one aggregate's runtime. */
export interface Telemetry {
  readonly commandDone: (tag: string, millis: number) => void
  readonly restarted: () => void
  readonly passivated: () => void
  /** The gauges are of no use any more. */
  readonly close: () => void
}

/** Counts on behalf of one definition; the gauges are read when somebody looks. */
export const make = (
  definition: Definition,
  context: Context.Context<never>,
  gauges: { readonly active: () => number; readonly waiting: () => number }
): Telemetry => {
  const attributes = { aggregate: definition.name }
  const registrations = [
    Metric.registerUnsafe(Metric.withAttributes(active, attributes), context, pull(gauges.active)),
    Metric.registerUnsafe(Metric.withAttributes(waiting, attributes), context, pull(gauges.waiting))
  ]
  const restarted = Metric.withAttributes(restarts, attributes)
  const passivated = Metric.withAttributes(passivations, attributes)
  const durations = new Map(
    definition.commands.map(({ tag }) => [tag, Metric.withAttributes(commandDuration, { ...attributes, command: tag })])
  )
  return {
    commandDone: (tag, millis) => durations.get(tag)?.updateUnsafe(millis, context),
    restarted: () => restarted.updateUnsafe(1, context),
    passivated: () => passivated.updateUnsafe(1, context),
    close: () => registrations.forEach((registration) => registration.remove())
  }
}

/** A snapshot was in doubt: says why, and counts it. */
export const snapshotDiscarded = (aggregate: string, why: string): Effect.Effect<void> =>
  Effect.andThen(
    Metric.update(Metric.withAttributes(discarded, { aggregate }), 1),
    Effect.logWarning(`A snapshot of ${aggregate} was discarded (${why}); its stream is replayed in full`)
  )
