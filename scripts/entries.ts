/**
 * The doors of the package: what `exports` in package.json names, with the source behind each, for the checks beside
 * this module. A user gets the build behind the same door; in this project the condition `varve-source` leads here.
 */
import { posix } from "node:path"
import { files, read } from "./sources.ts"

/** A way in: what a user imports (`varve/memory/Memory`), and the source (`src/memory/Memory.ts`). */
export interface Entry {
  readonly specifier: string
  readonly source: string
}

type Target = string | null | Readonly<Record<string, string>>

/** The part of package.json that checks look at. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly exports: Readonly<Record<string, Target>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

export const manifest: Manifest = JSON.parse(read("package.json").text)

/** What each subpath leads to within this project: a source, nothing (`null`), or a file that is not built. */
export const sourceExports: Readonly<Record<string, string | null>> = Object.fromEntries(
  Object.entries(manifest.exports).map(([subpath, target]) => [subpath, inProject(target)])
)

function inProject(target: Target): string | null {
  return target === null || typeof target === "string" ? target : target["varve-source"] ?? null
}

/** All entries that are modules, patterns spelt out, in the order of package.json. */
export const entries = (): ReadonlyArray<Entry> => {
  const modules = files("ts").filter((path) => path.startsWith("src/"))
  return Object.entries(sourceExports).flatMap(([subpath, target]) => {
    if (target === null || !target.endsWith(".ts")) return []
    if (!subpath.includes("*")) return [entryOf(subpath, target)]
    const [before = "", after = ""] = posix.normalize(target).split("*")
    return modules
      .filter((path) => path.startsWith(before) && path.endsWith(after) && !path.slice(before.length).includes("/"))
      .map((path) => entryOf(subpath.replace("*", path.slice(before.length, -after.length)), path))
      .filter(({ specifier }) => sourceExports[`.${specifier.slice(manifest.name.length)}`] !== null)
  })
}

const entryOf = (subpath: string, target: string): Entry => ({
  specifier: manifest.name + subpath.slice(1),
  source: posix.normalize(target)
})
