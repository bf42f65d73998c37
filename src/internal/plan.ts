/**
 * The plan of an aggregate: its definition and behaviour with every codec compiled, made once when its Layer is built.
 */
import { Result } from "effect"
import type { Behavior, Definition } from "../AggregateHost.ts"
import type * as Command from "../Command.ts"
import { type Stored, tags, typePrefix, types } from "../Event.ts"
import { type Codec, compile, compileMake, parseObject } from "./codec.ts"
import { schemaText, sha256 } from "./fingerprint.ts"
import { canonical } from "./json.ts"

/** A command, compiled. */
export interface CommandPlan {
  readonly tag: string
  /** A handler that is an Effect may run on a state that is not committed yet. */
  readonly speculative: boolean
  /** Makes the payload as the schema's constructor does. */
  readonly make: (input: unknown) => Result.Result<unknown, string>
  /** Tells this payload from any other, and from that of another command. */
  readonly hash: (payload: unknown) => Result.Result<string, string>
  readonly success: Codec
  readonly error: Codec
}

/** A stored event that cannot be turned into one of today's. */
export type Undecodable =
  | { readonly _tag: "TypeUnknown" }
  | { readonly _tag: "TooNew" }
  | { readonly _tag: "Malformed"; readonly problem: string }

/** An event as JSON data, with its type. */
export interface EncodedEvent {
  readonly type: string
  readonly schemaVersion: number
  readonly data: unknown
}

/** The events of an aggregate, compiled. */
export interface EventCodec {
  readonly encode: (event: { readonly _tag: string }) => Result.Result<EncodedEvent, string>
  readonly decode: (
    stored: Pick<Stored, "data" | "schemaVersion" | "type">
  ) => Result.Result<{ readonly _tag: string }, Undecodable>
}

/** What the runtime knows of one definition. */
export interface Plan {
  readonly definition: Definition
  readonly behavior: Behavior
  readonly commands: ReadonlyMap<string, CommandPlan>
  readonly events: EventCodec
  readonly state: Codec
  /** Of the state's schema, the stored types and `stateVersion`: a snapshot with another one is not trusted. */
  readonly fingerprint: string
}

/** The schema version of events that were never changed. */
const currentSchemaVersion = 1

export const make = (definition: Definition, behavior: Behavior): Plan => ({
  definition,
  behavior,
  commands: new Map(definition.commands.map((command) => [command.tag, commandPlan(command)])),
  events: eventCodec(definition.events),
  state: compile(definition.state),
  fingerprint: sha256(canonical({
    state: schemaText(definition.state),
    types: types(definition.events),
    stateVersion: definition.stateVersion
  }))
})

const commandPlan = (command: Command.Any): CommandPlan => {
  const payload = compile(command.payload)
  const schema = schemaText(command.payload)
  return {
    tag: command.tag,
    speculative: command.speculative,
    make: compileMake(command.payload),
    hash: (value) =>
      Result.map(payload.encode(value), (data) => sha256(`${command.tag}\n${schema}\n${canonical(data)}`)),
    success: compile(command.success),
    error: compile(command.error)
  }
}

/** Compiles the codec of an event union, as readers without a behaviour need it. */
export const eventCodec = (events: Definition["events"]): EventCodec => {
  const codec = compile(events)
  const prefix = typePrefix(events)
  const known = new Map(tags(events).map((tag) => [prefix + tag, tag]))
  return {
    encode: (event) => Result.map(codec.encode(event), (encoded) => withoutTag(prefix, encoded as { _tag: string })),
    decode: (stored) => {
      const tag = known.get(stored.type)
      if (tag === undefined) return Result.fail({ _tag: "TypeUnknown" })
      if (stored.schemaVersion > currentSchemaVersion) return Result.fail({ _tag: "TooNew" })
      return Result.mapError(
        Result.flatMap(parseObject(stored.data), (data) => codec.decode({ ...data, _tag: tag })),
        (problem): Undecodable => ({ _tag: "Malformed", problem })
      ) as Result.Result<{ readonly _tag: string }, Undecodable>
    }
  }
}

const withoutTag = (prefix: string, { _tag, ...data }: { readonly _tag: string }): EncodedEvent => ({
  type: prefix + _tag,
  schemaVersion: currentSchemaVersion,
  data
})
