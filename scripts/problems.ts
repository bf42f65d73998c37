/** What the checks find, and how they say it. */

/** Something that is wrong in a file, with what to do about it. */
export interface Problem {
  readonly path: string
  /** Counted from 1; absent if it is about the file as a whole. */
  readonly line?: number
  readonly message: string
}

/** Prints what is wrong and makes this process fail; or, if nothing is, what was looked at. */
export const report = (problems: ReadonlyArray<Problem>, lookedAt: string): void => {
  if (problems.length === 0) return console.log(lookedAt)
  for (const { line, message, path } of problems.toSorted(byPlace)) {
    console.log(line === undefined ? `${path}  ${message}` : `${path}:${line}  ${message}`)
  }
  process.exitCode = 1
}

const byPlace = (one: Problem, other: Problem): number =>
  one.path.localeCompare(other.path) || (one.line ?? 0) - (other.line ?? 0)
