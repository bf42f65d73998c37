/**
 * How far the projections of this process are behind, in a few words for its status line.
 */
import { Effect, Metric } from "effect"

/** What the gauges of one projection say. */
interface Gauges {
  lagEvents: number
  lagSeconds: number
  held: number
}

/** A few words: one for all of them if none is behind, else for each that is. Nothing where none is run. */
export const describe: Effect.Effect<ReadonlyArray<string>> = Effect.map(Metric.snapshot, (metrics) => {
  const all = new Map<string, Gauges>()
  for (const { attributes, id, state, type } of metrics) {
    const gauge = gauges[id]
    const name = attributes?.["projection"]
    if (gauge === undefined || name === undefined || type !== "Gauge") continue
    const known = all.get(name) ?? { lagEvents: 0, lagSeconds: 0, held: 0 }
    all.set(name, { ...known, [gauge]: Number(state.value) })
  }
  if (all.size === 0) return []
  const behind = [...all].filter(([, { held, lagEvents }]) => held > 0 || lagEvents > 0)
  if (behind.length === 0) return ["views current"]
  return behind.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, gauges]) => `${name} ${standing(gauges)}`)
})

const gauges: Readonly<Record<string, keyof Gauges>> = {
  varve_projection_lag_events: "lagEvents",
  varve_projection_lag_seconds: "lagSeconds",
  varve_projection_held: "held"
}

const standing = ({ held, lagEvents, lagSeconds }: Gauges): string => {
  if (held > 0) return "paused"
  const seconds = lagSeconds < 1 ? "" : `, for ${Math.round(lagSeconds)} s`
  return `${lagEvents.toLocaleString("en-US")} behind${seconds}`
}
