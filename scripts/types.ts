/**
 * The types of everything, or of the project that is named: `node scripts/types.ts [tsconfig.json]`.
 *
 * The compiler is TypeScript 7 with Effect's diagnostics built in: a floating Effect is an error to it. It is a binary
 * that `effect-tsgo` picks to match the `typescript` package.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { root } from "./sources.ts"

const picker = join(root, "node_modules/@effect/tsgo/dist/effect-tsgo.cjs")
const compiler = execFileSync(process.execPath, [picker, "get-exe-path"], { cwd: root, encoding: "utf8" }).trim()

/** What the bench compares with has its types among its own modules, and only `npm run bench` installs those. */
const everything = ["tsconfig.json", ...(existsSync(join(root, "scripts/bench/node_modules")) ? ["scripts/bench"] : [])]

const [project] = process.argv.slice(2)
for (const checked of project === undefined ? everything : [project]) {
  const { status } = spawnSync(compiler, ["-p", checked], { cwd: root, stdio: "inherit" })
  process.exitCode ||= status ?? 1
}
