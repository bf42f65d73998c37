/**
 * The plan of an aggregate: its definition and behaviour with every codec compiled, made once when its Layer is built.
 */
import { Result } from "effect"
import type { Behavior, Definition } from "../AggregateHost.ts"
import type * as Command from "../Command.ts"
import { EventTypeTaken, releasedShapes, shapes, types } from "../Event.ts"
import { type Codec, compile, compileMake, schemaText } from "./codec.ts"
import * as Evolution from "./evolution.ts"
import { sha256 } from "./fingerprint.ts"
import { canonical, unspoken } from "./json.ts"

/** A command, compiled. */
export interface CommandPlan {
  readonly tag: string
  /** A handler that is an Effect may run on a state that is not committed yet. */
  readonly speculative: boolean
  /** Makes the payload as the schema's constructor does. */
  readonly make: (input: unknown) => Result.Result<unknown, string>
  /**
   * Tells this payload from any other, and from that of another command: SHA-256 of the command's name, of the payload
   * as canonical JSON, and of where it holds what JSON writes as a text: numbers that are not finite, bigints, symbols,
   * dates. The schema is not part of it, so a field that is annotated, checked more strictly or made beside it as an
   * optional one leaves the commands what they were. It tells values apart, never schemas: a payload that another schema
   * writes alike, and that holds none of these, is the same.
   */
  readonly hash: (payload: unknown) => Result.Result<string, string>
  readonly success: Codec
  readonly error: Codec
}

/** What the runtime knows of one definition. */
export interface Plan {
  readonly definition: Definition
  readonly behavior: Behavior
  readonly commands: ReadonlyMap<string, CommandPlan>
  readonly events: Evolution.EventCodec
  readonly state: Codec
  /** Of the state's schema, the stored types and `stateVersion`: a snapshot with another one is not trusted. */
  readonly fingerprint: string
}

export const make = (definition: Definition, behavior: Behavior): Plan => ({
  definition,
  behavior,
  commands: new Map(definition.commands.map((command) => [command.tag, commandPlan(command)])),
  events: Evolution.eventCodec(definition.events),
  state: compile(definition.state),
  fingerprint: sha256(canonical({
    state: schemaText(definition.state),
    types: storedShapes(definition.events),
    stateVersion: definition.stateVersion
  }))
})

const commandPlan = (command: Command.Any): CommandPlan => {
  const payload = compile(command.payload)
  return {
    tag: command.tag,
    speculative: command.speculative,
    make: compileMake(command.payload),
    hash: (value) =>
      Result.map(payload.encode(value), (data) => sha256(`${command.tag}\n${canonical(data)}\n${unspoken(value)}`)),
    success: compile(command.success),
    error: compile(command.error)
  }
}

/** What a snapshot was folded from. Types alone until something is released: snapshots of then are good still. */
const storedShapes = (events: Definition["events"]): ReadonlyArray<string> =>
  releasedShapes(events).length === 0 ? types(events) : shapes(events)

/** A stored event is told by its type, wherever it is read, so a type means the same in all aggregates of a runtime. */
export const findTaken = (plans: Iterable<Plan>, { definition, events }: Plan): EventTypeTaken | undefined => {
  for (const other of plans) {
    const type = Evolution.findTaken(other.events, events)
    const where = `the aggregates "${other.definition.name}" and "${definition.name}"`
    if (type !== undefined) return new EventTypeTaken({ type, where })
  }
  return undefined
}
