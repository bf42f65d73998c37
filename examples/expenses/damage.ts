/**
 * Damages a log of declarations, always in the same way for the same seed, to see what is refused and why:
 *
 *     gunzip -c LOG.ndjson.gz | node examples/expenses/damage.ts 1 > damaged.ndjson
 *
 * In 500 cases two neighbouring lines change places, 500 others lose their first line, and in 500 others a line comes a
 * second time, right away or later.
 */
import { readFileSync } from "node:fs"

const damagedEach = 500

/** The log with damage; a log with fewer than 1,500 cases of several lines is damaged as far as they go. */
export const damage = (log: string, seed: number): string => {
  const lines = log.trimEnd().split("\n")
  const random = makeRandom(seed)
  const cases = shuffled([...placesOf(lines).values()].filter((places) => places.length > 1), random)
  const pick = <A>(from: ReadonlyArray<A>): A => from[random(from.length)]!

  /** What stands in the place of each line: one line as a rule, none where it is dropped, more where one is repeated. */
  const damaged: Array<ReadonlyArray<string>> = lines.map((line) => [line])
  for (const places of cases.slice(0, damagedEach)) {
    const index = random(places.length - 1)
    const [one, other] = [places[index]!, places[index + 1]!]
    damaged[one] = [lines[other]!]
    damaged[other] = [lines[one]!]
  }
  for (const [place] of cases.slice(damagedEach, 2 * damagedEach)) damaged[place!] = []
  for (const places of cases.slice(2 * damagedEach, 3 * damagedEach)) {
    const index = random(places.length)
    const later = pick(places.slice(index))
    damaged[later] = [lines[later]!, lines[places[index]!]!]
  }
  return `${damaged.flat().join("\n")}\n`
}

/** Where the lines of each case stand. */
const placesOf = (lines: ReadonlyArray<string>): Map<string, Array<number>> => {
  const places = new Map<string, Array<number>>()
  lines.forEach((line, place) => {
    const { case: name } = JSON.parse(line)
    const known = places.get(name)
    if (known === undefined) places.set(name, [place])
    else known.push(place)
  })
  return places
}

const shuffled = <A>(values: ReadonlyArray<A>, random: (below: number) => number): ReadonlyArray<A> => {
  const rest = [...values]
  return values.map(() => rest.splice(random(rest.length), 1)[0]!)
}

/** mulberry32: whole numbers below a bound, the same ones for the same seed. */
export const makeRandom = (seed: number) => {
  let state = seed
  return (below: number): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below
  }
}

if (import.meta.main) process.stdout.write(damage(readFileSync(0, "utf8"), Number(process.argv[2] ?? 1)))
