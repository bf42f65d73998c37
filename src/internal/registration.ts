/**
 * A registration: everything the runtime keeps for one aggregate definition.
 */
import type { Clock, Context, Duration, Effect, Fiber } from "effect"
import type { ProjectionHost } from "../ProjectionHost.ts"
import type { Defects } from "./defects.ts"
import type { Groups } from "./groups.ts"
import type { CommandPlan, Plan } from "./plan.ts"
import type { Sources } from "./replay.ts"
import type { Residents } from "./resident.ts"
import type { Telemetry } from "./telemetry.ts"

/** `Settings` with every default filled in. */
export interface Resolved {
  readonly snapshotEvery: number | undefined
  readonly mailboxCapacity: number
  readonly maxIdleMillis: number
  readonly redecisions: number
  readonly drainDeadline: Duration.Duration
}

/** What all registrations of a runtime share: how many aggregates may be in memory. */
export interface Capacity {
  readonly maxActive: number
  readonly registrations: Set<Registration>
}

/** One definition on this runtime. */
export interface Registration {
  readonly plan: Plan
  readonly settings: Resolved
  readonly sources: Sources
  /** The way of its appends to the store. */
  readonly groups: Groups
  /** What handlers may use. */
  readonly services: Context.Context<never>
  readonly clock: Clock.Clock
  readonly nextEventId: () => string
  /** Whoever runs projections, if anybody does beside this runtime. */
  readonly projections: ProjectionHost["Service"] | undefined
  readonly residents: Residents
  readonly capacity: Capacity
  /** Commands whose handlers were seen to answer at once. */
  readonly plain: Set<CommandPlan>
  readonly telemetry: Telemetry
  readonly defects: Defects
  /** Runs work beside the callers, supervised: until the registration ends. */
  readonly fork: (work: Effect.Effect<void>) => Fiber.Fiber<void>
  /** New commands are refused from then on. */
  closing: boolean
}
