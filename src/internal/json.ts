/**
 * JSON as the log keeps it: text that every store can hold and that parses into plain data.
 *
 * Knows nothing of events; `Admission` turns its verdicts into typed refusals.
 */

/** What a text or a value contains that no store may be given. */
export type Forbidden = "a NUL character" | "a lone surrogate" | "a \"__proto__\" key"

/** A string as it is, before it becomes JSON: an id, a name, a metadata value. */
export const forbiddenInString = (text: string): Forbidden | undefined =>
  text.includes("\0") ? "a NUL character" : text.isWellFormed() ? undefined : "a lone surrogate"

// An escape is real when an even number of backslashes stands before its own.
const forbiddenEscape = /(?<!\\)(?:\\\\)*\\u(0000|d[89a-f][0-9a-f]{2})/

/**
 * `text` is what `JSON.stringify` made, so a surrogate is escaped only where it is alone and a key is followed by its
 * colon at once. The two searches settle the common case; the text is parsed on suspicion only. It is the text that is
 * looked at, since a `toJSON` can make another thing of a value than what it looks like.
 */
export const forbiddenInJson = (text: string): Forbidden | undefined => {
  if (text.includes("\\u")) {
    const escape = forbiddenEscape.exec(text)
    if (escape !== null) return escape[1] === "0000" ? "a NUL character" : "a lone surrogate"
  }
  if (text.includes("\"__proto__\":") && hasProtoKey(JSON.parse(text))) return "a \"__proto__\" key"
  return undefined
}

const hasProtoKey = (parsed: unknown): boolean => {
  const open = [parsed]
  while (open.length > 0) {
    const value = open.pop()
    if (typeof value !== "object" || value === null) continue
    if (Object.hasOwn(value, "__proto__")) return true
    for (const inner of Object.values(value)) open.push(inner)
  }
  return false
}

/**
 * Whether data is nested deeper than so many levels. What is no list and no plain object is not looked into. Level by
 * level, and what is held in several places of a level is looked into once.
 */
export const isDeeperThan = (levels: number, value: unknown): boolean => {
  // Most payloads are one flat object.
  if (levels > 0 && isFlat(value)) return false
  let level = new Set([value].filter(isNested))
  for (let left = levels; level.size > 0; left--) {
    if (left === 0) return true
    level = new Set([...level].flatMap((outer) => Object.values(outer)).filter(isNested))
  }
  return false
}

const isFlat = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return true
  for (const key in value) {
    const inner: unknown = (value as Record<string, unknown>)[key]
    if (typeof inner === "object" && inner !== null) return false
  }
  return true
}

const isNested = (value: unknown): value is object => {
  if (typeof value !== "object" || value === null) return false
  const prototype = Array.isArray(value) ? null : Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** The same text for the same data, whatever the order in which its keys were set. `value` is JSON data. */
export const canonical = (value: unknown): string => JSON.stringify(inOrder(value))

const inOrder = (value: unknown): unknown => {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(inOrder)
  // Made from entries, so that a key named `__proto__` is one like any other.
  return Object.fromEntries(
    Object.keys(value).sort().map((key) => [key, inOrder((value as Record<string, unknown>)[key])])
  )
}

/**
 * What canonical text does not tell of the data that it was made of: where numbers stand that are not finite, bigints,
 * symbols and dates. JSON has no words of its own for them, so codecs write them as texts. Empty for plain data.
 */
export const unspoken = (value: unknown): string => {
  if (isSpoken(value)) return ""
  const found: Array<string> = []
  collectUnspoken(value, [], found)
  return found.sort().join("\n")
}

/** The common case, told without a place being written down. */
const isSpoken = (value: unknown): boolean => {
  if (unspokenKind(value) !== undefined || value instanceof Map || value instanceof Set) return false
  return typeof value !== "object" || value === null || Object.values(value).every(isSpoken)
}

const collectUnspoken = (value: unknown, place: ReadonlyArray<string>, found: Array<string>): void => {
  const kind = unspokenKind(value)
  if (kind !== undefined) return void found.push(JSON.stringify([...place, kind]))
  if (typeof value !== "object" || value === null) return
  const inner = value instanceof Map || value instanceof Set ? [...value] : value
  for (const [key, held] of Object.entries(inner)) collectUnspoken(held, [...place, key], found)
}

const unspokenKind = (value: unknown): string | undefined => {
  if (typeof value === "bigint" || typeof value === "symbol") return typeof value
  if (typeof value === "number") return Number.isFinite(value) ? undefined : "number"
  return value instanceof Date ? "date" : undefined
}

/** Neither a list nor nothing. */
export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
