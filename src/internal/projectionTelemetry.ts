/**
 * What a runner of projections counts, prebuilt for each projection.
 */
import { type Context, Metric } from "effect"
import type { Definition } from "../ProjectionHost.ts"

const position = Metric.gauge("varve_projection_position", { description: "How far a projection has come" })
const lagEvents = Metric.gauge("varve_projection_lag_events", {
  description: "How many positions of the log are behind the head"
})
const lagSeconds = Metric.gauge("varve_projection_lag_seconds", {
  description: "For how long a projection has been behind the head"
})
const paused = Metric.gauge("varve_projection_held", {
  description: "Partitions of a projection that are paused or stopped; 0 in health"
})
const batches = Metric.counter("varve_projection_batches_total", {
  description: "Batches that were committed with their checkpoint",
  incremental: true
})
const events = Metric.counter("varve_projection_events_total", {
  description: "Events that were applied",
  incremental: true
})
const letters = Metric.counter("varve_projection_letters_total", {
  description: "Events that could not be worked off; 0 in health",
  incremental: true
})
const restarts = Metric.counter("varve_projection_restarts_total", {
  description: "How often a projection began anew from its checkpoint; 0 in health",
  incremental: true
})

/** Read, never written. */
const pull = (read: () => number) => ({ get: () => ({ value: read() }), update: () => {}, modify: () => {} })

/** The numbers of one projection. */
export interface ProjectionTelemetry {
  readonly committed: (events: number) => void
  readonly letter: () => void
  readonly restarted: () => void
  /** The gauges are of no use any more. */
  readonly close: () => void
}

/** What the gauges read. */
export interface Gauges {
  readonly position: () => number
  readonly lagEvents: () => number
  readonly lagSeconds: () => number
  readonly held: () => number
}

export const make = (
  { name, version }: Definition,
  context: Context.Context<never>,
  gauges: Gauges
): ProjectionTelemetry => {
  const attributes = { projection: name, version: String(version) }
  const registrations = [
    Metric.registerUnsafe(Metric.withAttributes(position, attributes), context, pull(gauges.position)),
    Metric.registerUnsafe(Metric.withAttributes(lagEvents, attributes), context, pull(gauges.lagEvents)),
    Metric.registerUnsafe(Metric.withAttributes(lagSeconds, attributes), context, pull(gauges.lagSeconds)),
    Metric.registerUnsafe(Metric.withAttributes(paused, attributes), context, pull(gauges.held))
  ]
  const counted = (counter: Metric.Counter<number>) => {
    const own = Metric.withAttributes(counter, attributes)
    return (by: number) => own.updateUnsafe(by, context)
  }
  const [addBatch, addEvents, addLetter, addRestart] = [batches, events, letters, restarts].map(counted)
  return {
    committed: (count) => {
      addBatch!(1)
      addEvents!(count)
    },
    letter: () => addLetter!(1),
    restarted: () => addRestart!(1),
    close: () => registrations.forEach((registration) => registration.remove())
  }
}
