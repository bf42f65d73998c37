/**
 * The machinery of types behind `Aggregate` and `Projection`, and the one cast that joins both to their untyped hosts.
 */
import type { DateTime, Effect, Stream } from "effect"
import type { Refusal } from "../Admission.ts"
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
import type { Events, PureCodec, Recorded } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import type {
  Change,
  ChangesMissed,
  DocumentUnreadable,
  FieldPending,
  InlineMeta,
  Keys,
  Meta,
  Source
} from "../ProjectionHost.ts"

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
export type NoOthers<H, Names, Refusal = "no command of this aggregate has this name"> = {
  readonly [K in Exclude<keyof H, Names>]: Refusal
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

// ── Projections

/** The events of a union that there are cases for. */
type Handling<Ev, H> = Extract<Ev, { readonly _tag: keyof H }>

/** Refuses a case for an event that the union has not. */
type NoOtherEvents<H, Ev extends { readonly _tag: string }> = NoOthers<
  H,
  Ev["_tag"],
  "no event of this union has this tag"
>

/** What becomes of a document, by event: a document, or undefined to delete it. There need not be one before. */
export type DocumentCases<Doc, Ev extends { readonly _tag: string }> = {
  readonly [T in Ev["_tag"]]?: (
    document: Doc | undefined,
    event: Extract<Ev, { readonly _tag: T }>,
    meta: Meta
  ) => Doc | undefined
}

/** Says what the events of a union do to the documents of a view, and to which: that of their stream unless given. */
export interface OnDocuments<Doc> {
  <U extends Events, H extends DocumentCases<Doc, U["Type"]>>(
    events: U,
    cases: H & NoOtherEvents<H, U["Type"]>,
    options?: { readonly key: (event: Handling<U["Type"], H>, meta: Meta) => Keys }
  ): Source
}

/** What becomes of a document of an inline view. Its handlers are told less: see `InlineMeta`. */
export type InlineCases<Doc, Ev extends { readonly _tag: string }> = {
  readonly [T in Ev["_tag"]]?: (
    document: Doc | undefined,
    event: Extract<Ev, { readonly _tag: T }>,
    meta: InlineMeta
  ) => Doc | undefined
}

/** Says what the events of a union do to the documents of an inline view. */
export interface OnInline<Doc> {
  <U extends Events, H extends InlineCases<Doc, U["Type"]>>(
    events: U,
    cases: H & NoOtherEvents<H, U["Type"]>,
    options?: { readonly key: (event: Handling<U["Type"], H>, meta: InlineMeta) => Keys }
  ): Source
}

/** What becomes of a state, by event. */
export type StateCases<S, Ev extends { readonly _tag: string }> = {
  readonly [T in Ev["_tag"]]?: (state: S, event: Extract<Ev, { readonly _tag: T }>, meta: Meta) => S
}

/** Says what the events of a union do to the state of a fold. */
export interface OnState<S> {
  <U extends Events, H extends StateCases<S, U["Type"]>>(events: U, cases: H & NoOtherEvents<H, U["Type"]>): Source
}

/** What is done at an event. Whatever it fails with is a failure of the projection at that event. */
export type EffectCases<Ev extends { readonly _tag: string }> = {
  readonly [T in Ev["_tag"]]?: (
    event: Extract<Ev, { readonly _tag: T }>,
    meta: Meta
  ) => Effect.Effect<unknown, unknown, any>
}

/** A source whose cases use services. */
export interface EffectSource<out R> extends Source {
  readonly "~services"?: R
}

/** Says what is done at the events of a union. */
export interface OnEvents {
  <U extends Events, H extends EffectCases<U["Type"]>>(
    events: U,
    cases: H & NoOtherEvents<H, U["Type"]>
  ): EffectSource<ServicesOf<H>>
}

/** The fields of a document that can be indexed: text, numbers, truth values, times. */
export type Indexable<D extends PureCodec> = D extends { readonly fields: infer F } ? {
    readonly [K in keyof F & keyof D["Type"] & string]: [D["Type"][K]] extends [Comparable] ? K : never
  }[keyof F & keyof D["Type"] & string]
  : never

type Comparable = string | number | boolean | null | undefined | Date | DateTime.Utc

/** Why a view could not be read. `Refusal`: what was asked for cannot be a key, a tenant, a value of that field, a limit. */
export type ReadFailure = StoreUnavailable | DocumentUnreadable | Refusal

/** A document with its key. */
export interface Entry<Doc> {
  readonly key: string
  readonly document: Doc
  /** How often it was written, 1 at least. */
  readonly revision: number
}

/** Which documents. */
export interface Asked<Doc, Ix extends string> {
  /** Indexed fields that must be equal; null where a document has no such field, or null. */
  readonly where?: { readonly [K in Ix & keyof Doc]?: Doc[K] | null } | undefined
  /** 1 to 255 characters; the default tenant unless given. */
  readonly tenant?: string | undefined
}

/** Which documents, in which order, and how many of them. */
export type Query<Doc, Ix extends string> =
  & Asked<Doc, Ix>
  & {
    /** At most so many, 1 to 1,000; 100 unless given. */
    readonly limit?: number | undefined
  }
  & (
    | {
      readonly orderBy?: undefined
      /** Only keys after this one, in the order of code points: that of the last entry, to read on. */
      readonly after?: string | { readonly key: string } | undefined
    }
    | {
      /** By an indexed field, then by key; ascending unless said. Documents without it come last. */
      readonly orderBy: { readonly field: Ix; readonly direction?: "ascending" | "descending" | undefined }
      /** Only what comes after this entry in that order: the last one, to read on. */
      readonly after?: { readonly key: string; readonly document: Pick<Doc, Ix & keyof Doc> } | undefined
    }
  )

/** What the Layer of a view provides. */
export interface Views<Doc, Ix extends string> {
  /** The document of a key; undefined if there is none. */
  readonly get: (
    key: string,
    options?: { readonly tenant?: string | undefined }
  ) => Effect.Effect<Doc | undefined, ReadFailure>
  /**
   * Documents by key, or by an indexed field. `FieldPending`: a field of this version is asked for, and documents of an
   * older one are read that have it not.
   */
  readonly list: (query?: Query<Doc, Ix>) => Effect.Effect<ReadonlyArray<Entry<Doc>>, ReadFailure | FieldPending>
  /** How many documents there are. */
  readonly count: (asked?: Asked<Doc, Ix>) => Effect.Effect<number, ReadFailure | FieldPending>
  /**
   * What is committed from now on by this process: of all tenants, in the order of commits, as long as this version is
   * the one that is read. Another process's work is not among it. A listener who is too slow is told by `ChangesMissed`.
   */
  readonly changes: Stream.Stream<Change<Doc>, ChangesMissed>
}

/** What the Layer of a fold provides. */
export interface Folds<S> {
  /** What it has come to. It is the runner's own: read it, never change it in place. */
  readonly state: Effect.Effect<S>
  /** The same, with the position of the log that it stands for. */
  readonly folded: Effect.Effect<{ readonly state: S; readonly position: bigint }>
}
