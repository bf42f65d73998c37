/**
 * The build: every source as JavaScript with declarations and maps, in `dist/`, where the exports of package.json lead
 * whoever installs the package. `npm run build`; `npm pack` begins with it. Nothing in this project runs from there.
 */
import { spawnSync } from "node:child_process"
import { renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { root } from "./sources.ts"

const compiler = join(root, "node_modules/typescript/bin/tsc")

/**
 * Compiles `src/` of a folder that is laid out as this project is. `folder` is beside `src/`, since maps say how to get
 * there. Throws what the compiler says if it says anything.
 */
export const compile = (home: string, folder: string, ...options: ReadonlyArray<string>): void => {
  const project = join(home, "scripts/tsconfig.build.json")
  const args = [compiler, "-p", project, "--outDir", join(home, folder), "--pretty", "false", ...options]
  const { status, stderr, stdout } = spawnSync(process.execPath, args, { cwd: home, encoding: "utf8" })
  if (status !== 0) throw new Error(`The sources do not compile:\n${stdout}${stderr}`)
}

/** In place of the former build, once it is whole: who reads meanwhile finds one or the other. */
const main = () => {
  const staged = `.dist-${process.pid}`
  try {
    compile(root, staged)
    rmSync(join(root, "dist"), { recursive: true, force: true })
    renameSync(join(root, staged), join(root, "dist"))
  } finally {
    rmSync(join(root, staged), { recursive: true, force: true })
  }
}

if (import.meta.main) main()
