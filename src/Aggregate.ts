/**
 * What users write: the protocol of an aggregate, which clients share, and its behaviour, which only the Layer has.
 *
 * The decider (initial, decide, evolve) is Jérémie Chassaing's; the split into a service class and a Layer of handlers
 * is that of Effect's RpcGroup.
 */
import { Context, Effect, Layer } from "effect"
import { refuseName } from "./Admission.ts"
import { AggregateHost, type Behavior, type Definition, type Hosted, type Settings } from "./AggregateHost.ts"
import * as Command from "./Command.ts"
import type { Also } from "./Decision.ts"
import { decide } from "./Decision.ts"
import { defaultTenant, type Events, type Expected, type PureCodec, type StreamId, types } from "./Event.ts"
import * as Clients from "./internal/clients.ts"
import {
  type Aggregates,
  type Commands,
  type Evolve,
  type Handlers,
  type NoOthers,
  type ServicesOf,
  type Tagged,
  untyped
} from "./internal/types.ts"

export { decide }
/**
 * Declares a command of an aggregate: what it carries, what it answers, how it may be rejected. It is `Command.make`.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 *
 * class TooHeavy extends Schema.TaggedError<TooHeavy>()("TooHeavy", { grams: Schema.Int }) {}
 *
 * const pack = Aggregate.command("pack", { payload: { grams: Schema.Int }, success: Schema.String, error: TooHeavy })
 * pack.tag // => "pack"
 * ```
 */
export const command = Command.make
export type { Commit, HandleOptions, HandlerContext, Settings, StateAt } from "./AggregateHost.ts"

/** The protocol of an aggregate: what its clients and its behaviour agree on. */
export interface Protocol<S extends PureCodec, Ev extends Events, Cs extends ReadonlyArray<Tagged>> {
  /** The schema of its state, which encodes to JSON: snapshots hold it. */
  readonly state: S
  /** Made by `Event.union`. */
  readonly events: Ev
  /** Made by `command`; their tags differ. */
  readonly commands: Cs
  /**
   * Raise it when the meaning of the state changes but not its schema, as when `evolve` or an upcast is mended: snapshots
   * of another version are discarded.
   */
  readonly stateVersion?: number | undefined
}

/** What an aggregate does: where it begins, how events change it, how commands are decided. */
export interface BehaviorOf<S, Ev extends { readonly _tag: string }, H> {
  /** The state of an empty stream. All of them share it, so nobody may change it in place. */
  readonly initial: S
  /** Applies one event. Pure and total: it runs on every replay, for every event that was ever stored. */
  readonly evolve: Evolve<S, Ev>
  /**
   * Decide commands. A handler may run more than once for one command, so it reads, and acts through its decision
   * only. One that returns a plain value is decided at once; one that returns an Effect may use services.
   */
  readonly handlers: H
}

/** The class that `Service` makes: a service, and the maker of its Layer. */
export interface ServiceClass<Self, Name extends string, S extends PureCodec, Ev extends Events, C extends Command.Any>
  extends Context.ServiceClass<Self, `varve/aggregate/${Name}`, Aggregates<S["Type"], Ev["Type"], C>>
{
  /** What a host has to know of this aggregate. */
  readonly definition: Definition & { readonly name: Name }
  /** Types a behaviour that is used more than once: by `toLayer`, by a `Scenario`, by a `Repository`. */
  readonly behavior: <H extends Handlers<S["Type"], Ev["Type"], C>>(
    behavior: BehaviorOf<S["Type"], Ev["Type"], H & NoOthers<H, C["tag"]>>
  ) => BehaviorOf<S["Type"], Ev["Type"], H>
  /**
   * Runs the aggregate on a host. What its handlers use becomes a requirement.
   *
   * Mistakes in the program are defects of the Layer: a category that another Layer on the same host has, or `outbox`; a
   * setting out of its bounds; `ReleasedShapeInvalid` for a shape of an event that cannot be as `Event.evolved` has it,
   * `EventTypeTaken` if another aggregate declares one of its types otherwise.
   */
  readonly toLayer: <H extends Handlers<S["Type"], Ev["Type"], C>>(
    behavior: BehaviorOf<S["Type"], Ev["Type"], H & NoOthers<H, C["tag"]>>,
    settings?: Settings
  ) => Layer.Layer<Self, never, AggregateHost | ServicesOf<H>>
  /**
   * Events for one of these aggregates, of the same tenant, to be written together with the decision of another: see
   * `decide`. If `expected` ("any" unless given) is not met, the deciding command is decided again.
   */
  readonly write: (
    id: string,
    events: ReadonlyArray<Ev["Type"]>,
    options?: { readonly expected?: Expected | undefined }
  ) => Also
}

/**
 * Declares an aggregate: the category of its streams (1 to 255 characters), its state, events and commands. The class
 * is the service that clients ask for; `toLayer` gives it its behaviour.
 *
 * Clients send commands by `of(id)`: each fails with the command's own errors, or with `CommandFailed`, whose `reason`
 * says what the machinery could not do. `state`, `stateAt`, `history` and `exists` read.
 *
 * @example
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import * as Aggregate from "varve/Aggregate"
 * import * as AggregateRuntime from "varve/AggregateRuntime"
 * import * as Event from "varve/Event"
 * import * as Memory from "varve/memory/Memory"
 *
 * const CounterEvent = Event.union({ Counted: { by: Schema.Int } })
 *
 * class Counters extends Aggregate.Service<Counters>()("Counter", {
 *   state: Schema.Struct({ total: Schema.Int }),
 *   events: CounterEvent,
 *   commands: [Aggregate.command("count", { payload: { by: Schema.Int }, success: Schema.Int })]
 * }) {}
 *
 * const CountersLive = Counters.toLayer({
 *   initial: { total: 0 },
 *   evolve: { Counted: (state, event) => ({ total: state.total + event.by }) },
 *   handlers: {
 *     count: ({ payload, state }) =>
 *       Aggregate.decide([CounterEvent.cases.Counted.make(payload)], { reply: state.total + payload.by })
 *   }
 * })
 *
 * const program = Effect.gen(function*() {
 *   const counters = yield* Counters
 *   yield* counters.of("visits").count({ by: 2 })
 *   return yield* counters.of("visits").count({ by: 3 })
 * })
 *
 * const Live = CountersLive.pipe(Layer.provide(AggregateRuntime.layer), Layer.provide(Memory.layer))
 * await Effect.runPromise(Effect.provide(program, Live)) // => 5
 * ```
 */
export const Service = <Self>() =>
<
  const Name extends string,
  S extends PureCodec,
  Ev extends Events,
  const Cs extends ReadonlyArray<Tagged>
>(
  name: Name,
  { commands, events, state, stateVersion = 1 }: Protocol<S, Ev, Cs> & { readonly commands: Commands<Cs> }
): ServiceClass<Self, Name, S, Ev, Extract<Cs[number], Command.Any>> => {
  refuseNames(name, commands, types(events))
  const definition: Definition = { name, state, events, commands: untyped(commands), stateVersion }
  const Base = Context.Service<Self, unknown>()(`varve/aggregate/${name}`)
  return untyped(Object.assign(Base, {
    definition,
    behavior: (behavior: Behavior) => behavior,
    toLayer: (behavior: Behavior, settings: Settings = {}) =>
      Layer.effect(Base, Effect.map(register(definition, behavior, settings), facade(definition))),
    write: (
      id: string,
      written: Also["events"],
      { expected = "any" }: { readonly expected?: Expected } = {}
    ): Also => ({
      category: name,
      id,
      schema: events,
      events: written,
      expected
    })
  }))
}

/** A name that no store would take, or that two commands share, is a mistake in the program, which should not start. */
const refuseNames = (name: string, commands: ReadonlyArray<Tagged>, eventTypes: ReadonlyArray<string>): void => {
  const refusal = refuseName("The name of an aggregate", name) ??
    eventTypes.map((type) => refuseName(`The type "${type}" of an event of ${name}`, type)).find(Boolean)
  if (refusal !== undefined) throw new TypeError(`${refusal.message}.`)
  const tags = commands.map(({ tag }) => tag)
  const twice = tags.find((tag, index) => tags.indexOf(tag) !== index)
  if (twice !== undefined) throw new TypeError(`The aggregate "${name}" has two commands named "${twice}".`)
}

const register = Effect.fnUntraced(function*(definition: Definition, behavior: Behavior, settings: Settings) {
  const host = yield* AggregateHost
  const services = yield* Effect.context<never>()
  return yield* host.register({ definition, behavior, settings, services })
})

/** What an aggregate's Layer provides: the host's functions, each for a stream of this definition. */
const facade = (definition: Definition) => (hosted: Hosted): Aggregates<unknown, unknown, never> => {
  const client = Clients.make(definition, hosted.execute)
  const streamOf = (id: string, tenant = defaultTenant): StreamId => ({ tenant, category: definition.name, id })
  return {
    of: (id: string, options: Clients.Options = {}) => untyped(client(streamOf(id, options.tenant), options)),
    state: (id, { consistency = "validated", tenant } = {}) => hosted.state(streamOf(id, tenant), consistency),
    stateAt: (id, point, { tenant } = {}) => hosted.stateAt(streamOf(id, tenant), point),
    history: (id, { tenant, ...range } = {}) => untyped(hosted.history(streamOf(id, tenant), range)),
    exists: (id, { tenant } = {}) => hosted.exists(streamOf(id, tenant))
  }
}
