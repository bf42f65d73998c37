/**
 * Declaring projections, of whatever kind: what names them, what they do with which events, who runs them.
 */
import { Effect } from "effect"
import type { Events } from "../Event.ts"
import {
  type Definition,
  type Hosted,
  type Kind,
  ProjectionHost,
  type Settings,
  type Source,
  type Target
} from "../ProjectionHost.ts"

/** What `on` of a projection makes. */
export const on = (events: Events, cases: Source["cases"], options?: { readonly key: Source["key"] }): Source => ({
  events,
  cases,
  key: options?.key
})

/** Takes a projection in on whatever host runs it. */
export const register = Effect.fnUntraced(function*(
  definition: Definition,
  target: Target,
  settings: Settings
): Effect.fn.Return<Hosted, never, any> {
  const host = yield* ProjectionHost
  const services = yield* Effect.context<never>()
  return yield* host.register({ definition, target, settings, services })
})

/** What cannot be a projection is a mistake in the program, which should not start. */
export const define = <const Name extends string>(
  kind: Kind,
  name: Name,
  version: number
): Definition & { readonly name: Name } => {
  if (!/^[a-z][a-z0-9-]{0,39}$/.test(name)) {
    throw new TypeError(
      `The name of a projection has lower-case letters, digits and hyphens, a letter first, 1 to 40: not "${name}".`
    )
  }
  if (!Number.isSafeInteger(version) || version < 1 || version > 999_999) {
    throw new RangeError(`The version of "${name}" must be a whole number from 1 to 999,999, not ${version}.`)
  }
  return { name, version, kind }
}
