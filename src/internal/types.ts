/**
 * The machinery of types behind `Aggregate`, and the one cast that joins it to the untyped host.
 */
import type { Effect, Stream } from "effect"
import type {
  CommandFailed,
  Commit,
  Consistency,
  HandleOptions,
  HandlerContext,
  HistoryRange,
  Point,
  StateAt
} from "../AggregateHost.ts"
import type * as Command from "../Command.ts"
import type { Decision } from "../Decision.ts"
import type { Recorded } from "../Event.ts"

/**
 * Says that an untyped value is what the types promise. It joins the typed face of an aggregate to the host, which
 * handles aggregates of all types alike.
 */
export const untyped = <A>(value: unknown): A => value as A

/** Any tagged value. The constraint of a command array must not mention schemas: else it replaces their defaults. */
export interface Tagged {
  readonly tag: string
}

/** Refuses what is no command, and a command whose name another one has; says so in the compiler's message. */
export type Commands<Cs extends ReadonlyArray<Tagged>> = {
  readonly [I in keyof Cs]: Cs[I] extends Command.Any
    ? Cs[I]["tag"] extends OtherTags<Cs, I> ? "another command of this aggregate has this name" : Cs[I]
    : "a command is made by Aggregate.command"
}

type OtherTags<Cs extends ReadonlyArray<Tagged>, I> = {
  readonly [J in keyof Cs]: J extends I ? never : Cs[J]["tag"]
}[number]

/** One case per event; a missing one does not compile. */
export type Evolve<S, Ev extends { readonly _tag: string }> = {
  readonly [T in Ev["_tag"]]: (state: S, event: Extract<Ev, { readonly _tag: T }>) => S
}

/** What the handler of a command may return. */
type Handled<Ev, C extends Command.Any> =
  | Decision<Ev, C["success"]["Type"]>
  | Effect.Effect<Decision<Ev, C["success"]["Type"]>, C["~error"], any>

/** One handler per command. */
export type Handlers<S, Ev, C extends Command.Any> = {
  readonly [K in C as K["tag"]]: (context: HandlerContext<S, K["payload"]["Type"]>) => Handled<Ev, K>
}

/** Refuses what is not a command's name, and says so in the compiler's message. */
export type NoOthers<H, Names> = {
  readonly [K in Exclude<keyof H, Names>]: "no command of this aggregate has this name"
}

/** What the handlers use: it becomes a requirement of the Layer. */
export type ServicesOf<H> = {
  [K in keyof H]: H[K] extends (...args: any) => infer O ? (O extends Effect.Effect<any, any, infer R> ? R : never)
    : never
}[keyof H]

/** A command without fields takes no argument; one whose fields are all optional takes an optional one. */
export type Arguments<Input> = {} extends Input ? (keyof Input extends never ? [] : [payload?: Input])
  : [payload: Input]

/** What sends commands to one aggregate. */
export type Client<C extends Command.Any, Returning extends "reply" | "commit"> = {
  readonly [K in C as K["tag"]]: (...payload: Arguments<K["payload"]["~type.make.in"]>) => Effect.Effect<
    Returning extends "commit" ? Commit<K["success"]["Type"]> : K["success"]["Type"],
    K["~error"] | CommandFailed
  >
}

/** What an aggregate's Layer provides. */
export interface Aggregates<S, Ev, C extends Command.Any> {
  /** One aggregate. Options belong to the handle; a command takes its payload only, so neither is taken for the other. */
  readonly of: {
    (id: string, options: HandleOptions & { readonly returning: "commit" }): Client<C, "commit">
    (id: string, options?: HandleOptions): Client<C, "reply">
  }
  /** Its state: of an empty stream, the initial one. It is the runtime's own: read it, never change it in place. */
  readonly state: (
    id: string,
    options?: { readonly tenant?: string | undefined; readonly consistency?: Consistency | undefined }
  ) => Effect.Effect<S, CommandFailed>
  /** Its state as it was: after so many events (`ReadPastEnd` if there are fewer), or at a time. */
  readonly stateAt: (
    id: string,
    point: Point,
    options?: { readonly tenant?: string | undefined }
  ) => Effect.Effect<StateAt<S>, CommandFailed>
  /** Its events. */
  readonly history: (
    id: string,
    options?: HistoryRange & { readonly tenant?: string | undefined }
  ) => Stream.Stream<Recorded<Ev>, CommandFailed>
  /** Whether it has any events. */
  readonly exists: (
    id: string,
    options?: { readonly tenant?: string | undefined }
  ) => Effect.Effect<boolean, CommandFailed>
}
