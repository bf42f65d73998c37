/**
 * Whether every shape that events have, or ever had, is kept as a fixture that still decodes. For tests of applications.
 */
import { Result } from "effect"
import { type EventCodec, eventCodec, nameOf, parseShape, shapeNames } from "./evolution.ts"
import { isPlainObject } from "./json.ts"
import type { Events } from "./shapes.ts"

/** What `Event.coverage` found missing or broken; the message has one line for each. */
export class CoverageIncomplete extends Error {
  readonly problems: ReadonlyArray<string>
  constructor(problems: ReadonlyArray<string>) {
    super(["The fixtures do not cover the events:", ...problems].join("\n- "))
    this.name = "CoverageIncomplete"
    this.problems = problems
  }
}

/**
 * Shows that stored events stay readable: a test of an application calls it with its event unions and its fixtures.
 *
 * A fixture is what the log holds of one event, as JSON data without its tag, under the name of its shape:
 * `OrderPlaced@1`. Several examples of one shape are a list. `EventFixtures.read` of `varve/testing` reads them from a
 * folder. Fixtures are never deleted: a shape that was released once is in somebody's log for ever.
 *
 * Throws `CoverageIncomplete` unless
 *
 * - every released shape has a fixture that decodes, and whose upcast yields events of today
 * - every type of today has a fixture of its present shape that decodes, none of whose fields is lost on the way: what
 *   is written today is what must be readable once that shape is released
 * - every fixture is of a shape that one of the unions declares
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import * as Event from "varve/Event"
 *
 * const Current = Event.union({ OrderPlaced: { totalCents: Schema.Int } })
 * const OrderEvent = Event.evolved(Current, (was) => [
 *   was("OrderPlaced@1", Schema.Struct({ total: Schema.Finite }), ({ total }) => [
 *     Current.cases.OrderPlaced.make({ totalCents: Math.round(total * 100) })
 *   ])
 * ])
 *
 * Event.coverage([OrderEvent], {
 *   "OrderPlaced@1": { total: 12.5 },
 *   "OrderPlaced@2": [{ totalCents: 1250 }, { totalCents: 0 }]
 * })
 * ```
 */
export const coverage = (unions: ReadonlyArray<Events>, fixtures: Readonly<Record<string, unknown>>): void => {
  const declared: ReadonlySet<string> = new Set(unions.flatMap(shapeNames))
  const problems = [
    ...unions.flatMap((union) => gaps(union, fixtures)),
    ...Object.keys(fixtures).filter((name) => !declared.has(name))
      .map((name) => `${name} has a fixture, but no union declares this shape: declare it with Event.evolved`)
  ]
  if (problems.length > 0) throw new CoverageIncomplete(problems)
}

const gaps = (union: Events, fixtures: Readonly<Record<string, unknown>>): ReadonlyArray<string> => {
  const codec = eventCodec(union)
  return shapeNames(union).flatMap((name) => {
    if (!Object.hasOwn(fixtures, name)) return [`${name} has no fixture: add what the log holds of one such event`]
    const given = fixtures[name]
    const examples: ReadonlyArray<unknown> = Array.isArray(given) ? given : [given]
    if (examples.length === 0) return [`${name} has an empty list of fixtures`]
    return examples.flatMap((data, index) => {
      const problem = problemOf(codec, name, data)
      const which = examples.length === 1 ? "" : ` ${index + 1}`
      return problem === undefined ? [] : [`The fixture${which} of ${name} ${problem}`]
    })
  })
}

const problemOf = (codec: EventCodec, name: string, data: unknown): string | undefined => {
  const shape = parseShape(name)
  const events = codec.decode({ ...shape, data: JSON.stringify(data) ?? "undefined" })
  if (Result.isFailure(events)) {
    return events.failure._tag === "Malformed" ? `does not decode: ${events.failure.problem}` : "is of no known shape"
  }
  const [event] = events.success
  if (event === undefined || nameOf(codec.shapeOf(event)) !== name) return undefined
  const encoded = codec.encode(event)
  if (Result.isFailure(encoded)) return `decodes to what cannot be written: ${encoded.failure}`
  const lost = lostIn(data, encoded.success.data, "")
  return lost === undefined ? undefined : `loses its field ${lost}, which no schema names`
}

/** The first field of the data that is not there any more, as a path. */
const lostIn = (before: unknown, after: unknown, path: string): string | undefined => {
  if (Array.isArray(before)) {
    return first(
      before.map((inner, index) => lostIn(inner, Array.isArray(after) ? after[index] : undefined, `${path}[${index}]`))
    )
  }
  if (!isPlainObject(before) || !isPlainObject(after)) return undefined
  return first(
    Object.entries(before).map(([key, inner]) => {
      const at = path === "" ? key : `${path}.${key}`
      return Object.hasOwn(after, key) ? lostIn(inner, after[key], at) : at
    })
  )
}

const first = (found: ReadonlyArray<string | undefined>): string | undefined => found.find((each) => each !== undefined)
