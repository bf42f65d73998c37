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
 * `text` is what `JSON.stringify` made of `value`, so a surrogate is escaped only where it is alone and a key is
 * followed by its colon at once. The two searches settle the common case; the walk happens on suspicion only.
 */
export const forbiddenInJson = (text: string, value: unknown): Forbidden | undefined => {
  if (text.includes("\\u")) {
    const escape = forbiddenEscape.exec(text)
    if (escape !== null) return escape[1] === "0000" ? "a NUL character" : "a lone surrogate"
  }
  if (text.includes("\"__proto__\":") && hasProtoKey(value)) return "a \"__proto__\" key"
  return undefined
}

const hasProtoKey = (value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  if (Array.isArray(value)) return value.some(hasProtoKey)
  return Object.hasOwn(value, "__proto__") || Object.values(value).some(hasProtoKey)
}

/** Whether data is nested deeper than so many levels. What is no list and no plain object is not looked into. */
export const isDeeperThan = (levels: number, value: unknown): boolean => {
  if (typeof value !== "object" || value === null) return false
  const prototype = Array.isArray(value) ? null : Object.getPrototypeOf(value)
  if (prototype !== null && prototype !== Object.prototype) return false
  if (levels === 0) return true
  return Object.values(value).some((inner) => isDeeperThan(levels - 1, inner))
}

/** The same text for the same data, whatever the order in which its keys were set. `value` is JSON data. */
export const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner)

/** Neither a list nor nothing. */
export const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)
