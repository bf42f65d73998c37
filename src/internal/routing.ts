/**
 * Which handlers of a projection an event goes to: by its type in the log to the codec, by its tag to the cases.
 */
import { Result } from "effect"
import { outboxCategory, type Stored } from "../Event.ts"
import type { Source } from "../ProjectionHost.ts"
import { Delivery } from "./delivery.ts"
import * as Evolution from "./evolution.ts"
import type { Events } from "./shapes.ts"

/** A handler, and which documents it is for. */
export interface Case {
  readonly handle: (...args: ReadonlyArray<any>) => unknown
  readonly key: Source["key"]
}

interface Route {
  readonly codec: Evolution.EventCodec
  readonly cases: Map<string, Array<Case>>
}

/** The way of every event that a projection wants. */
export interface Routing {
  /** The types that such events may have in the log. */
  readonly storedTypes: ReadonlyArray<string>
  readonly byType: ReadonlyMap<string, ReadonlyArray<Route>>
}

/**
 * Compiles what a projection says. Throws `ReleasedShapeInvalid` for a shape that cannot be as it is declared, and
 * `EventTypeTaken` if two of its unions declare a type, and not alike.
 */
export const make = (projection: string, sources: ReadonlyArray<Source>): Routing => {
  const routes = new Map<Events, Route>()
  for (const { cases, events, key } of sources) {
    const route = routes.get(events) ?? { codec: Evolution.eventCodec(events), cases: new Map<string, Array<Case>>() }
    refuseTaken(projection, [...routes.values()], route)
    routes.set(events, route)
    for (const [tag, handle] of Object.entries(cases)) {
      if (handle === undefined) continue
      const same = route.cases.get(tag)
      if (same === undefined) route.cases.set(tag, [{ handle, key }])
      else same.push({ handle, key })
    }
  }
  const byType = new Map<string, Array<Route>>()
  for (const route of routes.values()) {
    for (const type of Evolution.sourcesOf(route.codec, new Set(route.cases.keys()))) {
      byType.set(type, [...byType.get(type) ?? [], route])
    }
  }
  return { storedTypes: [...byType.keys()], byType }
}

const refuseTaken = (projection: string, others: ReadonlyArray<Route>, { codec }: Route): void => {
  for (const other of others) {
    const type = other.codec === codec ? undefined : Evolution.findTaken(other.codec, codec)
    if (type !== undefined) throw new Evolution.EventTypeTaken({ type, where: `the projection "${projection}", twice` })
  }
}

/** Whether it is an event at all: messages of the outbox are none. */
export const isEvent = ({ category }: Stored): boolean => category !== outboxCategory

/**
 * Decodes a stored event and visits its cases, in the order in which they are declared. Answers why it cannot be decoded,
 * if so; what a visit throws goes through.
 */
export const route = (
  { byType }: Routing,
  stored: Stored,
  visit: (handled: Case, delivery: Delivery) => void
): Evolution.Undecodable | undefined => {
  const routes = byType.get(stored.type)
  if (routes === undefined) return { _tag: "TypeUnknown" }
  for (const { cases, codec } of routes) {
    const decoded = codec.decode(stored)
    if (Result.isFailure(decoded)) return decoded.failure
    const events = decoded.success
    for (let index = 0; index < events.length; index++) {
      const event = events[index]!
      const handling = cases.get(event._tag)
      if (handling === undefined) continue
      const delivery = new Delivery(stored, codec, event, events.length === 1 ? 0 : index + 1)
      for (const handled of handling) visit(handled, delivery)
    }
  }
  return undefined
}
