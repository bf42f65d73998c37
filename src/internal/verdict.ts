/**
 * A verdict: what a handler's answer means for the stream, with everything encoded and evolved, so that nothing of the
 * user's can fail once the append is under way.
 */
import { Cause, Effect, Exit, Result, Schema } from "effect"
import * as Admission from "../Admission.ts"
import type { HandlerContext } from "../AggregateHost.ts"
import { type Also, type Decision, isDecision, type Message } from "../Decision.ts"
import * as Event from "../Event.ts"
import type { Write } from "../EventStore.ts"
import { compile, problemOf } from "./codec.ts"
import { type EncodedEvent, type EventCodec, eventCodec } from "./evolution.ts"
import type { Plan } from "./plan.ts"
import { evolve } from "./replay.ts"

/** Events, none or more, with the state that they lead to. */
export interface Decided {
  readonly _tag: "Decided"
  readonly state: unknown
  readonly events: ReadonlyArray<Event.New>
  readonly also: ReadonlyArray<Write>
  readonly reply: unknown
  /** As the handler gave it. */
  readonly decision: Decision<unknown, unknown>
}

/**
 * - `Decided`: to be appended, or checked if there is nothing to append
 * - `Rejected`: by the command's own error; to be checked
 * - `Refused`: what was decided is not admitted to the log; nothing is written
 * - `Died`: the handler, or `evolve` on what it decided, ended in a defect; nothing is written
 */
export type Verdict =
  | Decided
  | { readonly _tag: "Rejected"; readonly error: unknown }
  | { readonly _tag: "Refused"; readonly reason: Admission.Refusal }
  | { readonly _tag: "Died"; readonly cause: Cause.Cause<never> }

/** What is answered from the log, and recorded if the command has an id. */
export type Recordable = Extract<Verdict, { readonly _tag: "Decided" | "Rejected" }>

/** A command on a state, as a handler is given it. */
export interface Case {
  readonly plan: Plan
  readonly tag: string
  readonly context: HandlerContext<unknown, unknown>
  readonly metadata: Admission.AdmittedJson
  readonly nextEventId: () => string
}

/** Asks the handler. A plain answer is judged at once; an Effect is returned to be run with `withServices`. */
export const decide = (given: Case): Verdict | Effect.Effect<Verdict> => {
  const handled = call(given)
  if (Result.isFailure(handled)) return died(handled.failure)
  const answer = handled.success
  if (isDecision(answer)) return judge(given, answer)
  // A tagged error is an Effect that fails with itself: there is nothing to run.
  if (answer instanceof Error && Effect.isEffect(answer)) return { _tag: "Rejected", error: answer }
  return Effect.isEffect(answer)
    ? Effect.map(Effect.exit(answer as Effect.Effect<unknown, unknown>), judgeExit(given))
    : strayed(given, answer)
}

const call = ({ context, plan, tag }: Case): Result.Result<unknown, unknown> => {
  try {
    return Result.succeed(plan.behavior.handlers[tag]!(context))
  } catch (error) {
    return Result.fail(error)
  }
}

const judgeExit = (given: Case) => (exit: Exit.Exit<unknown, unknown>): Verdict => {
  if (Exit.isSuccess(exit)) return isDecision(exit.value) ? judge(given, exit.value) : strayed(given, exit.value)
  const error = Cause.findErrorOption(exit.cause)
  return error._tag === "Some" ? { _tag: "Rejected", error: error.value } : died(Cause.squash(exit.cause))
}

/** Encodes and evolves what was decided. What throws on the way is the handler's bug: a cast can make a decision of anything. */
const judge = (given: Case, decision: Decision<unknown, unknown>): Verdict => {
  try {
    return judged(given, decision)
  } catch (error) {
    return died(error)
  }
}

const judged = (given: Case, decision: Decision<unknown, unknown>): Verdict => {
  const { context, plan } = given
  const stray = lists.find((list) => !Array.isArray(decision[list]) || !decision[list].every(isObject))
  if (stray !== undefined) {
    return died(new TypeError(`"${given.tag}" decided on \`${stray}\` that are no list of objects`))
  }
  const own = decision.events as ReadonlyArray<{ readonly _tag: string }>
  const messages = Map.groupBy(decision.publish, ({ key }) => key ?? context.id)
  const tooMany = refuseCounts(given, [own, ...decision.also.map(({ events }) => events), ...messages.values()])
  if (tooMany !== undefined) return refused(tooMany)
  const misnamed = refusePlaces(given, decision.also, messages.keys())
  if (misnamed !== undefined) return refused(misnamed)
  const written = encodeAll(given, plan.events, own)
  if ("_tag" in written) return written
  const { events, told } = written
  const also = writesBeside(given, decision.also, messages)
  if (isVerdict(also)) return also
  let state = context.state
  for (const event of told) state = evolve(plan, state, event)
  return { _tag: "Decided", state, events, also, reply: decision.reply, decision }
}

const lists = ["events", "also", "publish"] as const
const isObject = (value: unknown): boolean => typeof value === "object" && value !== null

/** Counts are checked before anything is encoded: encoding a million events is no way to refuse them. */
const refuseCounts = (
  { tag }: Case,
  writes: ReadonlyArray<ReadonlyArray<unknown>>
): Admission.LimitExceeded | undefined => {
  const { appendWritesMax, writeEventsMax } = Admission.limits
  const what = `the decision of "${tag}"`
  if (writes.length > appendWritesMax) {
    return new Admission.LimitExceeded({ what, actual: writes.length, max: appendWritesMax, unit: "writes" })
  }
  const actual = Math.max(...writes.map(({ length }) => length))
  return actual > writeEventsMax
    ? new Admission.LimitExceeded({ what, actual, max: writeEventsMax, unit: "events" })
    : undefined
}

/** A decision writes to each stream once; what it writes beside its own is named as the handler named it. */
const refusePlaces = (
  { context, plan, tag }: Case,
  also: ReadonlyArray<Also>,
  keys: Iterable<string>
): Admission.Refusal | undefined => {
  const places = new Set(also.length === 0 ? [] : [placeOf({ category: plan.definition.name, id: context.id })])
  for (const write of also) {
    const refusal = Admission.refuseName(`the id of ${write.category} in \`also\` of "${tag}"`, write.id)
    if (refusal !== undefined) return refusal
    const place = placeOf(write)
    if (places.has(place)) {
      const problem = `it writes to ${place} twice; put all its events into one place`
      return new Admission.InputInvalid({ what: `the decision of "${tag}"`, problem })
    }
    places.add(place)
  }
  for (const key of keys) {
    const refusal = Admission.refuseName(`the key of a message that "${tag}" publishes`, key)
    if (refusal !== undefined) return refusal
  }
  return undefined
}

const placeOf = ({ category, id }: Pick<Also, "category" | "id">): string => `${category} ${JSON.stringify(id)}`

/** Events as they are written, and as the log will tell them. */
interface Encoded {
  readonly events: ReadonlyArray<Event.New>
  readonly told: ReadonlyArray<{ readonly _tag: string }>
}

/**
 * Encodes events, and reads them back: the state here is the one that every later replay leads to, also where a handler
 * gave fields too many or a schema reads something else than it wrote; and nothing is written that cannot be read.
 */
const encodeAll = (
  given: Case,
  codec: EventCodec,
  decided: ReadonlyArray<{ readonly _tag: string }>
): Encoded | Verdict => {
  const events: Array<Event.New> = []
  const told: Array<{ readonly _tag: string }> = []
  for (const event of decided) {
    const data = codec.encode(event)
    if (Result.isFailure(data)) return misfit(given, `does not fit its schema: ${data.failure}`)
    const made = newEvent(given, data.success)
    if (Result.isFailure(made)) return refused(made.failure)
    const read = codec.decode(made.success)
    if (Result.isFailure(read)) {
      const { failure } = read
      return misfit(given, `cannot be read back: ${failure._tag === "Malformed" ? failure.problem : failure._tag}`)
    }
    events.push(made.success)
    told.push(...read.success)
  }
  return { events, told }
}

const misfit = ({ tag }: Case, problem: string): Verdict =>
  died(new TypeError(`"${tag}" decided an event that ${problem}`))

const newEvent = ({ metadata, nextEventId }: Case, event: EncodedEvent) =>
  Event.make({ ...event, eventId: nextEventId(), metadata })

/** What is written together with the events: those of `also`, and the messages of `publish` by their keys. */
const writesBeside = (
  given: Case,
  also: ReadonlyArray<Also>,
  published: ReadonlyMap<string, ReadonlyArray<Message>>
): ReadonlyArray<Write> | Verdict => {
  const writes: Array<Write> = []
  for (const { category, events, expected, id, schema } of also) {
    const encoded = encodeAll(given, codecOf(schema), events)
    if ("_tag" in encoded) return encoded
    const stream = { tenant: given.context.tenant, category, id }
    writes.push({ stream, expected, events: encoded.events, receipts: [] })
  }
  for (const [key, messages] of published) {
    const encoded = encodeMessages(given, messages)
    if (isVerdict(encoded)) return encoded
    const stream = { tenant: given.context.tenant, category: Event.outboxCategory, id: key }
    writes.push({ stream, expected: "any", events: encoded, receipts: [] })
  }
  return writes
}

const encodeMessages = (given: Case, messages: ReadonlyArray<Message>): ReadonlyArray<Event.New> | Verdict => {
  const encoded: Array<Event.New> = []
  for (const { body, headers = {}, topic } of messages) {
    const refusal = Admission.refuseName("the topic of a message", topic)
    if (refusal !== undefined) return refused(refusal)
    const data = message.encode({ topic, body, headers })
    if (Result.isFailure(data)) {
      return died(new TypeError(`"${given.tag}" published a message that does not fit its schema: ${data.failure}`))
    }
    const made = newEvent(given, { type: Event.messageType, schemaVersion: 1, data: data.success })
    if (Result.isFailure(made)) return refused(made.failure)
    encoded.push(made.success)
  }
  return encoded
}

const message = compile(
  Schema.Struct({ topic: Schema.String, body: Schema.Json, headers: Schema.Record(Schema.String, Schema.String) })
)

const codecs = new WeakMap<Also["schema"], EventCodec>()
const codecOf = (schema: Also["schema"]): EventCodec => {
  const known = codecs.get(schema)
  if (known !== undefined) return known
  const codec = eventCodec(schema)
  codecs.set(schema, codec)
  return codec
}

const isVerdict = (u: ReadonlyArray<unknown> | Verdict): u is Verdict => !Array.isArray(u)

const refused = (reason: Admission.Refusal): Verdict => ({ _tag: "Refused", reason })

/** An interruption from within is the handler's own doing; its caller was not interrupted. */
const died = (defect: unknown): Verdict => ({ _tag: "Died", cause: Cause.die(defect) })

const strayed = ({ plan, tag }: Case, answer: unknown): Verdict => {
  // Nobody will ever look at the Promise again: should it reject, the process must not end of it.
  if (answer instanceof Promise) answer.catch(() => {})
  return died(
    new TypeError(
      `The handler "${tag}" of ${plan.definition.name} returned ${
        kindOf(answer)
      }; return a decision or an Effect of one.`
    )
  )
}

const kindOf = (answer: unknown): string => {
  if (answer === undefined) return "nothing"
  if (answer === null) return "null"
  if (answer instanceof Promise) return "a Promise"
  if (Array.isArray(answer)) return "a list"
  if (answer instanceof Error) {
    return `an Error that is no Effect ("${problemOf(answer)}"; make it with Schema.TaggedError)`
  }
  return typeof answer === "object" ? "an object" : `a ${typeof answer}`
}
