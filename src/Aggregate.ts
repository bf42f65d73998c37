/**
 * What users write: the protocol of an aggregate, which clients share, and its behaviour, which only the Layer has.
 *
 * The decider (initial, decide, evolve) is Jérémie Chassaing's; the split into a service class and a Layer of handlers
 * is that of Effect's RpcGroup.
 */
import { Context, Effect, Layer } from "effect"
import { AggregateHost, type Behavior, type Definition, type HandleOptions, type Settings } from "./AggregateHost.ts"
import * as Command from "./Command.ts"
import type { Also } from "./Decision.ts"
import { decide } from "./Decision.ts"
import { defaultTenant, type Events, type Expected, type PureCodec } from "./Event.ts"
import type { Aggregates, Evolve, Handlers, NoOthers, ServicesOf, Tagged } from "./internal/types.ts"

export { decide }
/** Declares a command: see `Command.make`. */
export const command = Command.make
export type { Commit, HandleOptions, HandlerContext, Settings, StateAt } from "./AggregateHost.ts"

/** The protocol of an aggregate. */
export interface Protocol<S extends PureCodec, Ev extends Events, Cs extends ReadonlyArray<Tagged>> {
  readonly state: S
  readonly events: Ev
  readonly commands: Cs
  /** Raise it when the meaning of the state changes but not its schema: snapshots of another version are discarded. */
  readonly stateVersion?: number | undefined
}

/** What an aggregate does: where it begins, how events change it, how commands are decided. */
export interface BehaviorOf<S, Ev extends { readonly _tag: string }, H> {
  /** The state of an empty stream. */
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
  /** Runs the aggregate on a host. What its handlers use becomes a requirement. */
  readonly toLayer: <H extends Handlers<S["Type"], Ev["Type"], C>>(
    behavior: BehaviorOf<S["Type"], Ev["Type"], H & NoOthers<H, C["tag"]>>,
    settings?: Settings
  ) => Layer.Layer<Self, never, AggregateHost | ServicesOf<H>>
  /** Events for one of these aggregates, to be written together with the decision of another: see `decide`. */
  readonly write: (
    id: string,
    events: ReadonlyArray<Ev["Type"]>,
    options?: { readonly expected?: Expected | undefined }
  ) => Also
}

/**
 * Declares an aggregate: the category of its streams, its state, events and commands. The class is the service that
 * clients ask for; `toLayer` gives it its behaviour.
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
export const Service = <Self>(): {
  <
    const Name extends string,
    S extends PureCodec,
    Ev extends Events,
    const Cs extends ReadonlyArray<Tagged>
  >(
    name: Name,
    protocol: Protocol<S, Ev, Cs>
  ): ServiceClass<Self, Name, S, Ev, Extract<Cs[number], Command.Any>>
} => declare

/** The untyped side of `Service`: what its types promise is what these objects are. */
const declare = (name: string, protocol: Protocol<PureCodec, Events, ReadonlyArray<any>>): any => {
  const definition: Definition = {
    name,
    state: protocol.state,
    events: protocol.events,
    commands: protocol.commands,
    stateVersion: protocol.stateVersion ?? 1
  }
  const Base = Context.Service<any, any>()(`varve/aggregate/${name}`)
  return Object.assign(Base, {
    definition,
    behavior: (behavior: Behavior) => behavior,
    toLayer: (behavior: Behavior, settings: Settings = {}) => Layer.effect(Base, register(definition, behavior, settings)),
    write: (id: string, events: Also["events"], options?: { readonly expected?: Expected }): Also => ({
      category: name,
      id,
      schema: protocol.events,
      events,
      expected: options?.expected ?? "any"
    })
  })
}

const register = Effect.fnUntraced(function*(definition: Definition, behavior: Behavior, settings: Settings) {
  const host = yield* AggregateHost
  const services = yield* Effect.context<never>()
  const hosted = yield* host.register({ definition, behavior, settings, services })
  const streamOf = (id: string, tenant = defaultTenant) => ({ tenant, category: definition.name, id })
  return {
    of: clients(definition, hosted.execute, streamOf),
    state: (id: string, options?: { tenant?: string; consistency?: "validated" | "resident" }) =>
      hosted.state(streamOf(id, options?.tenant), options?.consistency ?? "validated"),
    stateAt: (id: string, point: any, options?: { tenant?: string }) =>
      hosted.stateAt(streamOf(id, options?.tenant), point),
    history: (id: string, options: any = {}) => hosted.history(streamOf(id, options.tenant), options),
    exists: (id: string, options?: { tenant?: string }) => hosted.exists(streamOf(id, options?.tenant))
  }
})

/** Clients of one definition share a prototype; each is one small object, and its methods may be taken off it. */
const clients = (definition: Definition, execute: any, streamOf: any): any => {
  const prototype = {}
  for (const command of definition.commands) {
    Object.defineProperty(prototype, command.tag, {
      enumerable: true,
      get(this: { stream: any; options: HandleOptions & { returning?: string } }) {
        const { options, stream } = this
        return (payload: unknown = {}) => {
          const commit = execute(stream, command, payload, options)
          return options.returning === "commit" ? commit : Effect.map(commit, ({ reply }: any) => reply)
        }
      }
    })
  }
  return (id: string, options: HandleOptions = {}) =>
    Object.create(prototype, { stream: { value: streamOf(id, options.tenant) }, options: { value: options } })
}
