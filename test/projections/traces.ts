/**
 * A view whose documents show each event that they were given, in order and how often: nothing is left out, done twice or
 * turned round without its being seen. And what it must be, folded from the log by code that knows nothing of projections.
 */
import { Schema } from "effect"
import type { Stored } from "../../src/Event.ts"
import * as Projection from "../../src/Projection.ts"
import type { Meta } from "../../src/ProjectionHost.ts"
import { AccountEvent } from "../fixtures/Account.ts"

const Trace = Schema.Struct({ events: Schema.Int, trace: Schema.Int, last: Schema.String })
export type Trace = typeof Trace.Type

/** Order-sensitive: another sequence is another number. */
const step = (before: Trace | undefined, id: string, cents: number): Trace => ({
  events: (before?.events ?? 0) + 1,
  trace: ((before?.trace ?? 7) * 31 + cents) % 1_000_003,
  last: id
})

export class Traces extends Projection.View<Traces>()("traces", {
  version: 1,
  document: Trace,
  indexes: ["events", "last"]
}) {}

export class NewTraces extends Projection.View<NewTraces>()("traces", {
  version: 2,
  document: Trace,
  indexes: ["events", "last"]
}) {}

type Sources = Parameters<typeof Traces.toLayer>[0]

/** What a handler may do before it does its work: throw. */
export type Before = (cents: number, meta: Meta) => void

/**
 * One document for each account, which is deleted when an event's cents are a multiple of 10, one for each note and one
 * for all notes.
 */
export const sourcesWith = (before: Before): Sources => {
  const account = (sign: 1 | -1) => (trace: Trace | undefined, { cents }: { readonly cents: number }, meta: Meta) => {
    before(cents, meta)
    return cents % 10 === 0 ? undefined : step(trace, meta.id, sign * cents)
  }
  return (on) => [
    on(AccountEvent, { MoneyDeposited: (trace, { cents }, { id }) => step(trace, id, cents) }, {
      key: ({ note }) => note === undefined ? undefined : [`note/${note}`, "notes"]
    }),
    // The last one may throw: what the others have done at that event must not stay.
    on(AccountEvent, { MoneyDeposited: account(1), MoneyWithdrawn: account(-1) })
  ]
}

export const sources: Sources = sourcesWith(() => {})

/** What the documents of the default tenant must be, by key. */
export const offline = (events: ReadonlyArray<Stored>): ReadonlyMap<string, Trace> => {
  const documents = new Map<string, Trace>()
  const change = (key: string, next: (before: Trace | undefined) => Trace | undefined) => {
    const document = next(documents.get(key))
    if (document === undefined) documents.delete(key)
    else documents.set(key, document)
  }
  for (const { data, id, type } of events) {
    if (type !== "MoneyDeposited" && type !== "MoneyWithdrawn") continue
    const { cents, note } = JSON.parse(data)
    const sign = type === "MoneyDeposited" ? 1 : -1
    change(id, (before) => cents % 10 === 0 ? undefined : step(before, id, sign * cents))
    if (sign === 1 && note !== undefined) {
      for (const key of [`note/${note}`, "notes"]) change(key, (before) => step(before, id, cents))
    }
  }
  return documents
}
