/**
 * Given, when, then: tests of an aggregate's decisions without a runtime, a store or a clock.
 *
 * Events go through their schemas on the way, as they will on the way to the log and back, so a scenario also shows
 * that what is decided can be stored. What handlers and `evolve` are given is frozen, as on a `TestRuntime`.
 */
import { Effect, Result } from "effect"
import { admitMetadata } from "../Admission.ts"
import type { BehaviorOf, ServiceClass } from "../Aggregate.ts"
import type * as Command from "../Command.ts"
import type { Also, Message } from "../Decision.ts"
import {
  defaultTenant,
  type Events,
  type Metadata,
  type New,
  type PureCodec,
  type ShapeName,
  type StreamId
} from "../Event.ts"
import { parseShape, type StoredShape } from "../internal/evolution.ts"
import * as Plan from "../internal/plan.ts"
import * as Replay from "../internal/replay.ts"
import type { Tagged } from "../internal/shapes.ts"
import { type Arguments, type ServicesOf, untyped } from "../internal/types.ts"
import { decide, type Verdict } from "../internal/verdict.ts"
import { frozen } from "./runtime/Frozen.ts"

/** Where a scenario happens. */
export interface Setting {
  /** "id" unless given. */
  readonly id?: string | undefined
  /** The default tenant unless given. */
  readonly tenant?: string | undefined
  /** Of the command; none unless given. */
  readonly metadata?: Metadata | undefined
}

/** What came of a command. After a rejection there are no events, and the state is the one before. */
export interface Then<S, Ev, C extends Command.Any> {
  /** What was decided, as it will be read from the log. */
  readonly events: ReadonlyArray<Ev>
  /** Undefined after a rejection. */
  readonly reply: C["success"]["Type"] | undefined
  /** Undefined if the command was carried out. */
  readonly rejection: C["~error"] | undefined
  /** Once the events are applied. */
  readonly state: S
  /** What is written together with the events, as it was decided. */
  readonly publish: ReadonlyArray<Message>
  readonly also: ReadonlyArray<Also>
}

/** A history, and what may be asked of it. */
export interface Given<S, Ev, C extends Command.Any, H> {
  /** The state that the events lead to. */
  readonly state: S
  /**
   * Sends a command. What the handler uses must be provided. A defect of the handler, a payload or an event that does
   * not fit its schema, is a defect here.
   */
  readonly when: <Tag extends C["tag"]>(
    tag: Tag,
    ...payload: Arguments<Extract<C, { readonly tag: Tag }>["payload"]["~type.make.in"]>
  ) => Effect.Effect<Then<S, Ev, Extract<C, { readonly tag: Tag }>>, never, ServicesOf<Pick<H, Tag & keyof H>>>
}

/** The maker of scenarios for one aggregate. */
export interface Scenario<S, Ev, C extends Command.Any, H> {
  /**
   * What has happened so far, in order: today's events, and events that were stored in a released shape (`was`). Throws if
   * one does not fit its schema.
   */
  readonly given: (events: ReadonlyArray<Ev | Past>, setting?: Setting) => Given<S, Ev, C, H>
}

/** An event that was stored in a released shape. Made by `was`. */
export class Past {
  readonly shape: ShapeName
  readonly data: unknown
  constructor(shape: ShapeName, data: unknown) {
    this.shape = shape
    this.data = data
  }
}

/**
 * An event as it was stored when its shape was another one, for `given`: the shape by its name, and the data as JSON.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as Event from "varve/Event"
 * import * as Scenario from "varve/testing/Scenario"
 *
 * const Current = Event.union({ Counted: { by: Schema.Int } })
 * const CountEvent = Event.evolved(Current, (was) => [
 *   was("Ticked@1", Schema.Struct({ times: Schema.Int }), ({ times }) => [Current.cases.Counted.make({ by: times })])
 * ])
 * class Counts extends Aggregate.Service<Counts>()("Count", { state: Schema.Int, events: CountEvent, commands: [] }) {}
 * const behavior = Counts.behavior({ initial: 0, evolve: { Counted: (count, { by }) => count + by }, handlers: {} })
 *
 * Scenario.make(Counts, behavior).given([Scenario.was("Ticked@1", { times: 3 })]).state // => 3
 * ```
 */
export const was = (shape: ShapeName, data: unknown): Past => new Past(shape, data)

/**
 * Scenarios of an aggregate: its service class and its behaviour.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as Event from "varve/Event"
 * import * as Scenario from "varve/testing/Scenario"
 *
 * const DoorEvent = Event.union({ Opened: {}, Closed: {} })
 * const { Opened } = DoorEvent.cases
 * class AlreadyOpen extends Schema.TaggedError<AlreadyOpen>()("AlreadyOpen", {}) {}
 * class Doors extends Aggregate.Service<Doors>()("Door", {
 *   state: Schema.Boolean,
 *   events: DoorEvent,
 *   commands: [Aggregate.command("open", { error: AlreadyOpen })]
 * }) {}
 * const behavior = Doors.behavior({
 *   initial: false,
 *   evolve: { Opened: () => true, Closed: () => false },
 *   handlers: { open: ({ state }) => state ? new AlreadyOpen() : Aggregate.decide([Opened.make({})]) }
 * })
 *
 * const doors = Scenario.make(Doors, behavior)
 * const first = await Effect.runPromise(doors.given([]).when("open"))
 * first.events // => [Opened.make({})]
 * const second = await Effect.runPromise(doors.given([Opened.make({})]).when("open"))
 * second.rejection // => new AlreadyOpen()
 * ```
 */
export const make = <Self, Name extends string, S extends PureCodec, Ev extends Events, C extends Command.Any, H>(
  aggregate: ServiceClass<Self, Name, S, Ev, C>,
  behavior: BehaviorOf<S["Type"], Ev["Type"], H>
): Scenario<S["Type"], Ev["Type"], C, H> => {
  const { definition } = aggregate
  const plan = Plan.make(definition, frozen(definition.name, untyped(behavior)))
  return {
    given: (events, setting = {}) => {
      const stream = { tenant: setting.tenant ?? defaultTenant, category: plan.definition.name, id: setting.id ?? "id" }
      const folded = fold(plan, events)
      return untyped({
        state: folded.state,
        when: (tag: string, payload: unknown = {}) => when(plan, folded, stream, setting.metadata ?? {}, tag, payload)
      })
    }
  }
}

const when = Effect.fnUntraced(function*(
  plan: Plan.Plan,
  folded: Replay.Folded,
  stream: StreamId,
  values: Metadata,
  tag: string,
  input: unknown
) {
  const command = plan.commands.get(tag)
  if (command === undefined) {
    const known = [...plan.commands.keys()].join(", ")
    throw new Error(`${plan.definition.name} has no command "${tag}"; it has: ${known === "" ? "none" : known}`)
  }
  const payload = orThrow(Result.mapError(command.make(input), (problem) => `the payload of "${tag}": ${problem}`))
  const metadata = orThrow(admitMetadata(values))
  const context = { id: stream.id, tenant: stream.tenant, ...folded, payload, metadata: values }
  let count = 0
  const verdict = decide({ plan, tag, context, metadata, nextEventId: () => eventId(++count) })
  return yield* outcome(plan, folded, Effect.isEffect(verdict) ? yield* verdict : verdict)
})

const outcome = (plan: Plan.Plan, folded: Replay.Folded, verdict: Verdict) => {
  const unchanged = { events: [], reply: undefined, rejection: undefined, state: folded.state, publish: [], also: [] }
  switch (verdict._tag) {
    case "Decided": {
      const { also, publish, reply } = verdict.decision
      const events = verdict.events.flatMap((event) => roundTrip(plan, event))
      return Effect.succeed({ ...unchanged, events, reply, state: verdict.state, publish, also })
    }
    case "Rejected":
      return Effect.succeed({ ...unchanged, rejection: verdict.error })
    case "Refused":
      return Effect.die(verdict.reason)
    case "Died":
      return Effect.failCause(verdict.cause)
  }
}

/** As in the log: what an event loses on its way through the schema is lost here too. */
const fold = (plan: Plan.Plan, given: ReadonlyArray<Tagged | Past>): Replay.Folded => {
  const state = given.flatMap((event) => decoded(plan, storedOf(plan, event)))
    .reduce((before: unknown, event) => Replay.evolve(plan, before, event), plan.behavior.initial)
  return { state, version: given.length }
}

const storedOf = (plan: Plan.Plan, event: Tagged | Past): StoredShape => {
  if (event instanceof Past) return { ...parseShape(event.shape), data: JSON.stringify(event.data) }
  const { data, ...encoded } = orThrow(plan.events.encode(event))
  return { ...encoded, data: JSON.stringify(data) }
}

const roundTrip = (plan: Plan.Plan, { data, schemaVersion, type }: New) => decoded(plan, { data, schemaVersion, type })

const decoded = (plan: Plan.Plan, event: StoredShape) => orThrow(plan.events.decode(event))

const orThrow = <A, E>(result: Result.Result<A, E>): A =>
  Result.getOrThrowWith(
    result,
    (problem) =>
      problem instanceof Error ? problem : new Error(typeof problem === "string" ? problem : JSON.stringify(problem))
  )

const eventId = (number: number): string => `00000000-0000-7000-8000-${String(number).padStart(12, "0")}`
