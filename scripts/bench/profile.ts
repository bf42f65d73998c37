/**
 * Where the time of a profile went: for whoever looks for what to make faster.
 */
import { readdirSync, readFileSync } from "node:fs"
import { join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { root } from "../sources.ts"

/** What V8 writes, as far as it is read here. */
interface CpuProfile {
  readonly nodes: ReadonlyArray<{
    readonly id: number
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  }>
  readonly samples: ReadonlyArray<number>
}

const shown = 20

/** The functions of each profile in a folder in which most time was spent, callees not counted. */
export const top = (folder: string): string =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .map((name) => [name, ...selfTimes(JSON.parse(readFileSync(join(folder, name), "utf8")))].join("\n"))
    .join("\n\n")

const selfTimes = ({ nodes, samples }: CpuProfile): ReadonlyArray<string> => {
  const places = new Map(nodes.map(({ callFrame, id }) => [id, placeOf(callFrame)]))
  // Samples are counted, not weighed with the time between them: that would charge a function with what other
  // processes did meanwhile. Those of the profiler at its own work are left out.
  const counts = new Map<string, number>()
  for (const id of samples) {
    const place = places.get(id)!
    if (!place.includes("node:inspector")) counts.set(place, (counts.get(place) ?? 0) + 1)
  }
  const all = Array.from(counts.values()).reduce((sum, count) => sum + count, 0)
  return [...counts]
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, shown)
    .map(([place, count]) => `${((100 * count) / all).toFixed(1).padStart(6)} %  ${place}`)
}

const placeOf = ({ functionName, lineNumber, url }: CpuProfile["nodes"][number]["callFrame"]): string => {
  const name = functionName === "" ? "(anonymous)" : functionName
  if (url === "") return name
  const path = url.startsWith("file:") ? relative(root, fileURLToPath(url)) : url
  return `${name}  ${path}:${lineNumber + 1}`
}
