/**
 * What the rounds say: medians, ratios within one round, and whether they are what was asked for; for terminals, for
 * documents, and for machines.
 */
import { arch, cpus, platform, release, totalmem } from "node:os"
import { styleText } from "node:util"
import type { Result } from "./rounds.ts"
import type { Bound, Row } from "./Row.ts"

/** How one contestant stands, and how much of a peer he does. */
export interface Line {
  readonly contestant: string
  readonly median: number | undefined
  readonly rounds: ReadonlyArray<number>
  /** What one of the row's unit cost the processors: less disturbed by whatever else runs on the machine. */
  readonly cpuMicros: number | undefined
  readonly problem: string | undefined
}

/** A ratio: the median of those of the rounds. Without `with` it is the median itself, at least or at most so much. */
export interface Verdict {
  readonly of: string
  readonly with: string | undefined
  readonly sense: Bound["sense"]
  readonly ratio: number | undefined
  readonly rounds: ReadonlyArray<number>
  readonly must: number | undefined
  readonly stretch: number | undefined
  readonly met: "stretch" | "must" | "no" | undefined
}

/** A row with what came out. */
export interface Outcome {
  readonly name: string
  readonly title: string
  readonly unit: Row["unit"]
  readonly lines: ReadonlyArray<Line>
  readonly verdicts: ReadonlyArray<Verdict>
}

/** Where and when it was measured. */
export interface Circumstances {
  readonly date: string
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly rounds: number
  readonly versions: Readonly<Record<string, string>>
}

/** What is known of this machine. */
export const circumstances = (
  rounds: number,
  versions: Readonly<Record<string, string>>
): Circumstances => ({
  date: new Date().toISOString().slice(0, 10),
  cpu: cpus()[0]?.model.trim() ?? "unknown",
  cores: cpus().length,
  memoryGiB: Math.round(totalmem() / 2 ** 30),
  system: `${platform()} ${arch()} ${release().split("-")[0]}`,
  node: process.versions.node,
  rounds,
  versions
})

/** Judges the results of a row. */
export const judge = (row: Row, results: ReadonlyArray<Result>): Outcome => {
  const roundsOf = (name: string) =>
    results.find(({ contestant }) => contestant === name)?.rounds.map(({ value }) => value) ?? []
  const compared = row.comparisons.map(({ must, of, stretch, with: other }): Verdict => {
    const rounds = roundsOf(of).flatMap((value, round) => {
      const against = roundsOf(other)[round]
      return against === undefined ? [] : [value / against]
    })
    const ratio = median(rounds)
    return { of, with: other, sense: "least", ratio, rounds, must, stretch, met: metBy(ratio, must, stretch) }
  })
  return {
    name: row.name,
    title: row.title,
    unit: row.unit,
    lines: results.map(lineOf),
    verdicts: [...compared, ...(row.bounds ?? []).map((bound) => weighed(bound, roundsOf(bound.of)))]
  }
}

const lineOf = ({ contestant, problem, rounds: measured }: Result): Line => {
  const rounds = measured.map(({ value }) => value)
  const cpuMicros = median(measured.flatMap(({ cpuMicros }) => cpuMicros ?? []))
  return { contestant, median: median(rounds), rounds, cpuMicros, problem }
}

const weighed = ({ must, of, sense, stretch }: Bound, rounds: ReadonlyArray<number>): Verdict => {
  const ratio = median(rounds)
  const upright = (value: number | undefined) => value === undefined || sense === "least" ? value : 1 / value
  const met = metBy(upright(ratio), upright(must), upright(stretch))
  return { of, with: undefined, sense, ratio, rounds, must, stretch, met }
}

const metBy = (ratio: number | undefined, must: number | undefined, stretch: number | undefined): Verdict["met"] => {
  if (must === undefined) return undefined
  if (ratio === undefined || ratio < must) return "no"
  return stretch !== undefined && ratio >= stretch ? "stretch" : "must"
}

const median = (values: ReadonlyArray<number>): number | undefined => {
  const sorted = values.toSorted((one, other) => one - other)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : mean(sorted[middle - 1], sorted[middle])
}

const mean = (one: number | undefined, other: number | undefined): number | undefined =>
  one === undefined || other === undefined ? undefined : (one + other) / 2

// ── For terminals

/** A row as a paragraph: who did how much, and how that compares. */
export const paragraph = ({ lines, title, unit, verdicts }: Outcome): string => {
  const most = Math.max(...lines.map(({ median }) => median ?? 0))
  const width = Math.max(18, ...lines.map(({ contestant }) => contestant.length))
  const standings = lines.map(({ contestant, cpuMicros, median, problem, rounds }) =>
    `  ${contestant.padEnd(width)}  ` +
    (problem === undefined && median !== undefined
      ? `${amount(median).padStart(10)}  ${styleText("dim", range(rounds).padEnd(23) + cpu(cpuMicros))}  ${
        bar(median / most)
      }`
      : styleText("red", `failed: ${(problem ?? "no rounds").split("\n")[0]}`))
  )
  const comparisons = verdicts.map((verdict) => {
    const name = verdict.with === undefined ? verdict.of : `${verdict.of} / ${verdict.with}`
    return `  ${styleText("dim", "·")} ${name.padEnd(38)} ${shown(verdict).padStart(8)}   ${asked(verdict)}`.trimEnd()
  })
  return [`${styleText("bold", title)}  ${styleText("dim", unit)}`, ...standings, ...comparisons].join("\n")
}

/** How many of the targets were met, in one line. */
export const summary = (outcomes: ReadonlyArray<Outcome>): string => {
  const judged = outcomes.flatMap(({ verdicts }) => verdicts).filter(({ met }) => met !== undefined)
  const count = (...met: ReadonlyArray<Verdict["met"]>) => judged.filter((verdict) => met.includes(verdict.met)).length
  return `${count("must", "stretch")} of ${judged.length} targets met, ${count("stretch")} of them with the stretch`
}

const asked = ({ met, must, sense, stretch, with: other }: Verdict): string => {
  if (must === undefined) return ""
  const sign = sense === "most" ? "≤ " : "≥ "
  const show = (value: number) => other === undefined ? value.toLocaleString("en") : times(value)
  const text = `must ${sign}${show(must)}` + (stretch === undefined ? "" : `, stretch ${show(stretch)}`)
  return `${marks[met ?? "no"]} ${styleText("dim", text)}`
}

const marks = { stretch: styleText("green", "✓✓"), must: styleText("green", "✓ "), no: styleText("red", "✗ ") }

const shown = ({ ratio, with: other }: Verdict): string =>
  ratio === undefined ? "–" : other === undefined ? amount(ratio) : times(ratio)

const bar = (share: number): string => styleText("cyan", "█".repeat(Math.max(1, Math.round(share * 28))))

const range = (rounds: ReadonlyArray<number>): string =>
  rounds.length < 2 ? "" : `${amount(Math.min(...rounds))} – ${amount(Math.max(...rounds))}`

const cpu = (micros: number | undefined): string =>
  micros === undefined ? "" : `${micros < 100 ? micros.toPrecision(2) : amount(micros)} µs cpu`.padStart(12)

/** Three digits are more than the noise allows. */
const amount = (value: number): string => {
  if (value < 100) return String(Number(value.toPrecision(2)))
  const unit = 10 ** (Math.floor(Math.log10(value)) - 2)
  return (Math.round(value / unit) * unit).toLocaleString("en")
}

const times = (ratio: number): string => {
  if (ratio >= 100) return `${amount(ratio)}×`
  if (ratio < 0.1) return `${ratio.toPrecision(2)}×`
  return `${ratio.toFixed(ratio >= 20 ? 0 : ratio >= 2 ? 1 : 2).replace(/\.0+$/, "")}×`
}

// ── For documents

/** A table for the README: only what was measured, where, when, and how to measure it again. */
export const markdown = (outcomes: ReadonlyArray<Outcome>, where: Circumstances): string => {
  const versions = Object.entries(where.versions).map(([name, version]) => `${name} ${version}`).join(", ")
  const rows = outcomes.flatMap(({ lines, title, unit, verdicts }) =>
    lines.map(({ contestant, median, problem }, index) => {
      const done = median === undefined
        ? `failed: ${problem?.split("\n")[0] ?? "no rounds"}`
        : `${amount(median)} ${unit}`
      const ratio = verdicts.find((verdict) => verdict.of === "varve" && verdict.with === contestant)
      return `| ${index === 0 ? title : ""} | ${contestant} | ${done} | ${ratio === undefined ? "" : shown(ratio)} |`
    })
  )
  return [
    "| work | who | how much | Varve does |",
    "| --- | --- | --- | --- |",
    ...rows,
    "",
    `Measured on ${where.date} by \`npm run bench -- --markdown\`: medians of ${where.rounds} rounds, all contestants in ` +
    `turn within each round; ${where.cores} cores (${where.cpu}), ${where.memoryGiB} GiB, ${where.system}, Node ` +
    `${where.node}; ${versions}. Figures of one machine say little, ratios within one run a good deal more.`
  ].join("\n")
}
