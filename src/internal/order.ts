/**
 * The order of texts, as every store has it: by code points, which is that of their UTF-8 bytes. That of JavaScript is
 * another one, since it compares halves of characters.
 */

/** Below zero if `a` comes first, above if `b` does. */
export const byCodePoints = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return rank(left) - rank(right)
  }
  return a.length - b.length
}

/** Halves of characters stand for those beyond U+FFFF, so they come after all others. */
const rank = (unit: number): number => {
  if (unit < 0xd800) return unit
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800
}
