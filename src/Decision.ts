/**
 * What a handler decides: events for its own stream, a reply, and what shall happen together with them. A value, so
 * that deciding can be tested without a runtime and several decisions can be committed at once.
 */
import type { Schema } from "effect"
import type { Events, Expected } from "./Event.ts"

const TypeId = "~varve/Decision"

/**
 * A message for the outside world, written to the log together with the events that it belongs to. It has the limits
 * of an event: at most 256 KiB as JSON.
 */
export interface Message {
  /** Where it goes; 1 to 255 characters. */
  readonly topic: string
  /** Messages with the same key keep their order; 1 to 255 characters. The aggregate's id, unless given. */
  readonly key?: string | undefined
  readonly body: Schema.Json
  /** What rides along with it; none unless given. */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** Events for another stream of the same tenant, in the same transaction. Made by an aggregate's `write`. */
export interface Also {
  readonly category: string
  readonly id: string
  /** Of `events`. */
  readonly schema: Events
  readonly events: ReadonlyArray<{ readonly _tag: string }>
  /** Of that stream. If it is not met, nothing is written, and the command is decided again. */
  readonly expected: Expected
}

/** What a handler decides. No events means "already so": nothing is written, and the reply still stands. */
export interface Decision<out Ev, out A> {
  readonly [TypeId]: typeof TypeId
  /** For the own stream, in order. */
  readonly events: ReadonlyArray<Ev>
  readonly reply: A
  readonly publish: ReadonlyArray<Message>
  readonly also: ReadonlyArray<Also>
}

/** What shall be written together with the events of a decision. */
export interface Together {
  /** Messages, in order for each key; they go to the category `outbox`. */
  readonly publish?: ReadonlyArray<Message> | undefined
  /** Events for other streams of the same tenant, a stream at most once. */
  readonly also?: ReadonlyArray<Also> | undefined
}

/**
 * Decides on `events`, in this order, and on the reply of a command that has one. All of it is written in one
 * transaction, or none of it.
 *
 * It writes to at most 100 streams, the own one, those of `also` and one for each key of `publish`: to each at most
 * 1,000 events and 4 MiB, an event at most 256 KiB. More is `CommandFailed` with the reason `LimitExceeded`; an event
 * that does not fit its schema is a defect of the handler.
 *
 * @example
 * ```ts
 * import * as Decision from "varve/Decision"
 *
 * const shipped = Decision.decide([{ _tag: "OrderShipped" }], { reply: "on its way" })
 * shipped.reply // => "on its way"
 * ```
 */
export const decide: {
  <Ev>(events: ReadonlyArray<Ev>, options?: Together): Decision<Ev, void>
  <Ev, A>(events: ReadonlyArray<Ev>, options: Together & { readonly reply: A }): Decision<Ev, A>
} = <Ev, A>(
  events: ReadonlyArray<Ev>,
  options?: Together & { readonly reply?: A }
): Decision<Ev, A | undefined> => ({
  [TypeId]: TypeId,
  events,
  reply: options?.reply,
  publish: options?.publish ?? none,
  also: options?.also ?? none
})

/**
 * Whether a handler really returned a decision: for hosts, which cannot trust a cast.
 *
 * @example
 * ```ts
 * import * as Decision from "varve/Decision"
 *
 * Decision.isDecision(Decision.decide([])) // => true
 * Decision.isDecision({ events: [] }) // => false
 * ```
 */
export const isDecision = (u: unknown): u is Decision<unknown, unknown> =>
  typeof u === "object" && u !== null && TypeId in u

const none: ReadonlyArray<never> = []
