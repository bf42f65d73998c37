/**
 * The types of everything, or of the project that is named: `node scripts/types.ts [tsconfig.json]`.
 *
 * The compiler is TypeScript 7 with Effect's diagnostics built in: a floating Effect is an error to it. It is a binary
 * that `effect-tsgo` picks to match the `typescript` package.
 */
import { execFileSync, spawnSync } from "node:child_process"
import { join } from "node:path"
import { root } from "./sources.ts"

const picker = join(root, "node_modules/@effect/tsgo/dist/effect-tsgo.cjs")
const compiler = execFileSync(process.execPath, [picker, "get-exe-path"], { cwd: root, encoding: "utf8" }).trim()
const [project = "tsconfig.json"] = process.argv.slice(2)
process.exitCode = spawnSync(compiler, ["-p", project], { cwd: root, stdio: "inherit" }).status ?? 1
