/**
 * Who waits for whom: a handler that asks another aggregate holds its own up until it is answered. A ring of such waits
 * would last for ever, so the question that closes one is refused.
 */
import { Context, Effect, References, Tracer } from "effect"
import type { StreamId } from "../Event.ts"
import type { Resident } from "./resident.ts"

/** The handler that runs in a fiber. It counts while it runs: what it has left behind asks for itself. */
export interface Asker {
  readonly resident: Resident
  running: boolean
}

/** The handler that runs in this fiber, if one does. */
export const CurrentAsker = Context.Reference<Asker | undefined>("varve/internal/CurrentAsker", {
  defaultValue: () => undefined
})

/** The ring that would close if `asker` waited for `asked`; undefined if none would. */
export const ring = (asker: Resident, asked: Resident): ReadonlyArray<string> | undefined => {
  const path = pathTo(asker, asked, new Set())
  return path === undefined ? undefined : [asker, ...path].map(({ stream }) => name(stream))
}

const pathTo = (target: Resident, from: Resident, seen: Set<Resident>): ReadonlyArray<Resident> | undefined => {
  if (from === target) return [from]
  if (seen.has(from)) return undefined
  seen.add(from)
  for (const next of from.work?.asks ?? []) {
    const rest = pathTo(target, next, seen)
    if (rest !== undefined) return [from, ...rest]
  }
  return undefined
}

/** Records that `asker` waits for `asked`; what it returns ends the wait. */
export const wait = (asker: Resident, asked: Resident): () => void => {
  const { asks } = asker.work!
  asks.push(asked)
  return () => {
    const index = asks.indexOf(asked)
    if (index >= 0) asks.splice(index, 1)
  }
}

const name = (stream: StreamId): string => `${stream.category} ${stream.id}`

/** The services that a handler's Layer was given, and what it needs of its caller: the span and the log annotations. */
export const withServices = (
  services: Context.Context<never>,
  caller: Context.Context<never>,
  asker: Asker | undefined
) =>
<A>(effect: Effect.Effect<A>): Effect.Effect<A> => {
  const span = Context.getOption(caller, Tracer.ParentSpan)
  const own = services.pipe(
    Context.add(CurrentAsker, asker),
    Context.add(References.CurrentLogAnnotations, Context.get(caller, References.CurrentLogAnnotations)),
    Context.add(References.CurrentLogSpans, Context.get(caller, References.CurrentLogSpans))
  )
  return Effect.provideContext(effect, span._tag === "Some" ? Context.add(own, Tracer.ParentSpan, span.value) : own)
}
