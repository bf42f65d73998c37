/**
 * A behaviour whose inputs are frozen: whoever writes to the state, the payload or the event that he was given dies of
 * it at that very line, by his name, instead of changing what others hold.
 *
 * Frozen in place, all the way down: objects, arrays, maps, sets, dates, and instances of classes. Left alone are Effect's
 * own data types, which are immutable but keep caches (what they hold is frozen), and what the language cannot freeze:
 * typed arrays, private fields. Who it was is read from the words of V8's errors; other engines' errors stay as they are.
 */
import { Chunk, Data, Effect, Equal, Hash, HashMap, HashSet, Option, Result, Schema } from "effect"
import type { Behavior, HandlerContext } from "../../AggregateHost.ts"
import type { Kind, Source } from "../../ProjectionHost.ts"

/**
 * A handler, or a case of `evolve`, wrote to what it was given. The cause is the error at the line where it did.
 */
export class Mutated extends Data.TaggedError("Mutated")<{
  readonly aggregate: string
  /** `the handler "place"`, or `evolve of OrderPlaced`. */
  readonly by: string
  /** The property, by its path: `state.items[0].quantity`; by its name if many objects could be meant. */
  readonly property: string
  readonly cause: unknown
}> {
  override get message() {
    return `${this.aggregate}: ${this.by} wrote to ${this.property}. What it is given is shared and must not change: ` +
      "decide on events, and let evolve return a new state"
  }
}

/** The same behaviour, on frozen inputs. */
export const frozen = (aggregate: string, { evolve, handlers, initial }: Behavior): Behavior => ({
  initial: freeze(initial),
  evolve: mapValues(evolve, (apply, tag) => {
    const blame = blameOf(aggregate, `evolve of ${tag}`)
    return (state, event) => {
      const given = { state: freeze(state), event: freeze(event) }
      return freeze(attempt(() => apply(state, event), (error) => blame(error, given)))
    }
  }),
  handlers: mapValues(handlers, (handle, tag) => {
    const blame = blameOf(aggregate, `the handler "${tag}"`)
    return (context: HandlerContext<unknown, unknown>) => {
      const given = freeze(context)
      const answer = attempt(() => handle(given), (error) => blame(error, given))
      // An error is an Effect too, but there is nothing to run.
      if (!Effect.isEffect(answer) || answer instanceof Error) return answer
      return Effect.catchDefect(answer, (defect) => Effect.die(blame(defect, given)))
    }
  })
})

/**
 * The cases of a projection, on frozen inputs: documents and events. The state of a fold is its own, to be changed in
 * place.
 */
export const frozenSource = (projection: string, kind: Kind, source: Source): Source => ({
  ...source,
  cases: mapValues(source.cases, (handle, tag) => {
    if (handle === undefined) return handle
    const blame = blameOf(projection, `the handler of ${tag}`)
    return (...args) => {
      const [state, event] = kind === "effect" ? [undefined, args[0]] : args
      const given = { ...kind === "view" && { document: freeze(state) }, event: freeze(event) }
      const answer = attempt(() => handle(...args), (error) => blame(error, given))
      return kind === "view" ? freeze(answer) : answer
    }
  })
})

const mapValues = <A>(
  values: { readonly [name: string]: A },
  map: (value: A, name: string) => A
): { readonly [name: string]: A } =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value, name)]))

const attempt = <A>(run: () => A, blame: (error: unknown) => unknown): A => {
  try {
    return run()
  } catch (error) {
    throw blame(error)
  }
}

// ── Freezing

const done = new WeakSet<object>()

/** Freezes a value in place, all the way down, and returns it. */
export const freeze = <A>(value: A): A => {
  if (typeof value !== "object" || value === null || done.has(value)) return value
  done.add(value)
  for (const inner of heldBy(value)) freeze(inner)
  if (!isFreezable(value)) return value
  for (const method of changing(value)) Object.defineProperty(value, method, { value: refusal(value, method) })
  return Object.freeze(value)
}

const isFreezable = (value: object): boolean => !ArrayBuffer.isView(value) && !isEffectData(value)

/** Effect marks its own data types. A user's Schema class, or one that says what equal means, bears such a mark as well. */
const isEffectData = (value: object): boolean => {
  if (Schema.isSchema(value.constructor)) return false
  for (let at: object | null = value; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    if (Reflect.ownKeys(at).some(isMark)) return true
  }
  return false
}

const isMark = (key: string | symbol): boolean =>
  typeof key === "string" && key.startsWith("~effect/") && key !== Equal.symbol && key !== Hash.symbol

const heldBy = (value: object): Iterable<unknown> => {
  if (value instanceof Map) return [...value.keys(), ...value.values()]
  if (value instanceof Set || HashSet.isHashSet(value) || Chunk.isChunk(value)) return value
  if (HashMap.isHashMap(value)) return HashMap.values(value)
  if (Option.isOption(value)) return Option.toArray(value)
  if (Result.isResult(value)) return [Result.merge(value)]
  return isFreezable(value) ? Object.values(Object.getOwnPropertyDescriptors(value)).map(({ value }) => value) : []
}

const changesOfDate = Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith("set"))

/** The methods through which a value changes that freezing leaves as it is. */
const changing = (value: object): ReadonlyArray<string> => {
  if (value instanceof Map) return ["set", "delete", "clear"]
  if (value instanceof Set) return ["add", "delete", "clear"]
  return value instanceof Date ? changesOfDate : []
}

/** What stands in the place of such a method. */
class Refusal extends TypeError {
  readonly of: object
  readonly what: string
  constructor(of: object, what: string) {
    super(`Cannot call ${what}: the object is frozen`)
    this.of = of
    this.what = what
  }
}

const refusal = (of: object, method: string) => (...args: ReadonlyArray<unknown>): never => {
  throw new Refusal(of, `${method}(${args.slice(0, 1).map(show).join()})`)
}

const show = (value: unknown): string => typeof value === "string" ? JSON.stringify(value) : String(value)

// ── Blaming

/** Turns the engine's error about a frozen object into one that says whose doing it is; leaves all others alone. */
const blameOf = (aggregate: string, by: string) => (error: unknown, given: object): unknown => {
  const property = propertyOf(error, given)
  return property === undefined ? error : new Mutated({ aggregate, by, property, cause: error })
}

const namedMax = 3

/** What was written to, if it is a part of what was given. */
const propertyOf = (error: unknown, given: object): string | undefined => {
  if (error instanceof Refusal) {
    return pathsTo(given, (object) => object === error.of).map((path) => join(path, error.what))[0]
  }
  const written = writtenIn(error)
  if (written === undefined) return undefined
  const paths = writtenAt(given, written)
  if (paths.length === 0) return undefined
  // The engine tells the name only. A few objects that have it are worth naming; many are not.
  return paths.length > namedMax ? written.name : paths.map((path) => join(path, written.name)).join(" or ")
}

/** Where a property of this name is, or could be. One that is new is rather an array's next than an object's. */
const writtenAt = (given: object, { isNew, name }: Written): ReadonlyArray<string> => {
  if (!isNew) return pathsTo(given, (object) => Object.hasOwn(object, name))
  const arrays = pathsTo(given, (object) => Array.isArray(object) && name === String(object.length))
  return arrays.length > 0 ? arrays : pathsTo(given, (object) => !Array.isArray(object) && !Object.hasOwn(object, name))
}

/** What V8 says of a write to a frozen object, each with the property's name. */
const messages: ReadonlyArray<readonly [pattern: RegExp, isNew: boolean]> = [
  [/^Cannot assign to read only property '(.*?)' of object/, false],
  [/^Cannot delete property '(.*?)' of /, false],
  [/^Cannot redefine property: (.*)$/, false],
  [/^Cannot (?:add|define) property (.*), object is not extensible$/, true]
]

interface Written {
  readonly name: string
  readonly isNew: boolean
}

const writtenIn = (error: unknown): Written | undefined => {
  if (!(error instanceof TypeError)) return undefined
  for (const [pattern, isNew] of messages) {
    const name = pattern.exec(error.message)?.[1]
    if (name !== undefined) return { name, isNew }
  }
  return undefined
}

/** The paths to those objects that are meant, from the outside in; what was given is itself the least likely one. */
const pathsTo = (given: object, isMeant: (object: object) => boolean): ReadonlyArray<string> => {
  const found: Array<string> = []
  const seen = new Set<object>()
  const level: Array<readonly [path: string, object: object]> = [["", given]]
  for (const [path, object] of level) {
    if (seen.has(object)) continue
    seen.add(object)
    if (object !== given && Object.isFrozen(object) && isMeant(object)) found.push(path)
    for (const [name, inner] of entriesOf(object)) {
      if (typeof inner === "object" && inner !== null) level.push([join(path, name), inner])
    }
  }
  return Object.isFrozen(given) && isMeant(given) ? [...found, ""] : found
}

const entriesOf = (object: object): ReadonlyArray<readonly [name: string, inner: unknown]> =>
  object instanceof Map
    ? Array.from(object, ([key, value]) => [`get(${show(key)})`, value])
    : Object.entries(Object.getOwnPropertyDescriptors(object)).map(([name, { value }]) => [name, value])

const join = (path: string, name: string): string => {
  if (path === "") return name
  return /^\d+$/.test(name) ? `${path}[${name}]` : `${path}.${name}`
}
