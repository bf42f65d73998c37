/**
 * What went wrong, in one line for people: the message, and the place in their own sources that it is about, if it can be
 * told. Never a stack.
 */
import { problemOf } from "../internal/codec.ts"

/** Says what was thrown. */
export const describe = (thrown: unknown): string => {
  const place = thrown instanceof Error ? placeOf(thrown.stack ?? "") : undefined
  return place === undefined ? problemOf(thrown) : `${problemOf(thrown)} (${place})`
}

/** A syntax error begins with its place; other errors were thrown at the first one that is not in a package. */
const placeOf = (stack: string): string | undefined => {
  const [first = "", ...rest] = stack.split("\n")
  return /^(?:file:\/\/)?(\/.+:\d+)$/.exec(first)?.[1] ?? rest.map(frameOf).find((place) => place !== undefined)
}

const frameOf = (line: string): string | undefined => {
  const place = /(?:\(|at |file:\/\/)(\/[^()]+:\d+):\d+\)?$/.exec(line)?.[1]
  return place?.includes("/node_modules/") === true ? undefined : place
}
