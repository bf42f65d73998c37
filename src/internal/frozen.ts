/**
 * Values that are shared, and that nobody shall write to: whoever does so dies of it at that line, by the language's own
 * error, instead of changing what others hold.
 */

/** Freezes plain objects and arrays in place, all the way down, and returns the value. Others may keep caches of their own. */
export const frozen = <A>(value: A): A => {
  if (typeof value !== "object" || value === null || Object.isFrozen(value) || !isPlain(value)) return value
  Object.freeze(value)
  for (const inner of Object.values(value)) frozen(inner)
  return value
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null
}
