/**
 * The package as `npm pack` makes it, built in a folder of its own: two may pack at once, and `dist/` stays as it is.
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import { compile } from "./build.ts"
import { root } from "./sources.ts"

/** A file of the package, as npm lists it. */
export interface Packed {
  readonly path: string
  /** In bytes. */
  readonly size: number
}

export interface Tarball {
  readonly path: string
  /** The unpacked package. */
  readonly folder: string
  readonly files: ReadonlyArray<Packed>
}

/** What the package is made of, and what it is built with. */
const packed = ["package.json", "README.md", "LICENSE", "src", "tsconfig.json", "scripts/tsconfig.build.json"]

/** Packs into an empty folder. */
export const pack = (folder: string): Tarball => {
  const stage = join(folder, "stage")
  for (const name of packed) cpSync(join(root, name), join(stage, name), { recursive: true })
  symlinkSync(join(root, "node_modules"), join(stage, "node_modules"), "junction")
  compile(stage, "dist")
  // What the script `prepack` would do is done.
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", folder]
  const [made] = Object.values(JSON.parse(run([...npm(), ...args], stage))) as ReadonlyArray<
    { readonly filename: string; readonly files: ReadonlyArray<Packed> }
  >
  const { filename, files } = made!
  const path = join(folder, basename(filename))
  run(["tar", "-xzf", path], folder)
  return { path, folder: join(folder, "package"), files }
}

/** The npm that runs this script, if one does (pnpm and yarn name themselves in its place), else any. */
const npm = (): ReadonlyArray<string> => {
  const path = process.env["npm_execpath"] ?? ""
  return /npm-cli\.[cm]?js$/.test(path) && existsSync(path) ? [process.execPath, path] : ["npm"]
}

const run = ([program = "", ...args]: ReadonlyArray<string>, cwd: string): string => {
  const { error, status, stderr, stdout } = spawnSync(program, args, { cwd, encoding: "utf8" })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(" ")} failed (exit code ${status}):\n${stdout}${stderr}`)
  return stdout
}
