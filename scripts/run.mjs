// Where `npm start`, `npm test` and every other verb come in, on whatever Node (18 or newer) the machine has.
//
// Varve's TypeScript sources run as they are on Node 24.6 or newer. So this installs what package-lock.json names, once
// (a Node is among it), and hands over to that Node: terminal, signals and exit code are the script's own.
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { delimiter, dirname, join, resolve } from "node:path"
import { isatty } from "node:tty"
import { fileURLToPath } from "node:url"
import * as Lock from "./lock.mjs"

const root = fileURLToPath(new URL("..", import.meta.url))

const verbs = {
  start: ["examples/main.ts"],
  // A program of one's own: its file is the first argument.
  script: [],
  varve: ["src/cli/varve.ts"],
  test: ["scripts/test.ts"],
  "test:matrix": ["scripts/matrix.ts"],
  check: ["scripts/check.ts"],
  fix: ["scripts/check.ts", "--fix"],
  api: ["scripts/api.ts", "--fix"],
  build: ["scripts/build.ts"],
  soak: ["scripts/soak.ts"],
  bench: ["scripts/bench.ts"],
  mutants: ["scripts/mutants.ts"]
}

const main = async ([verb = "", ...args]) => {
  const known = Object.keys(verbs).filter((name) => existsSync(join(root, verbs[name][0] ?? "")))
  if (!known.includes(verb)) stop(`"${verb}" is not a verb here. These are: ${known.join(", ")}.`)
  if (verb === "script" && (args[0] === undefined || !existsSync(resolve(root, args[0])))) {
    stop("Name a file: npm run script -- FILE.ts")
  }
  if (!isInstalled()) await install()
  const node = pickNode()
  process.env.PATH = dirname(node) + delimiter + process.env.PATH
  // Whatever runs in here, "varve/…" is a source and not what was built of it. See the exports of package.json.
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ""} --conditions=varve-source`.trim()
  process.exit(await run(node, [...verbs[verb], ...args], { stdio: "inherit" }))
}

const stop = (message, exitCode = 1) => {
  console.error(message)
  process.exit(exitCode)
}

// ── The dependencies. A stamp among them tells which lock file they were installed from.
const stamp = join(root, "node_modules/.bootstrap")
const wanted = createHash("sha256").update(readFileSync(join(root, "package-lock.json"))).digest("hex")
const isInstalled = () => existsSync(stamp) && readFileSync(stamp, "utf8") === wanted

const install = async () => {
  const lock = await Lock.acquire(join(root, ".bootstrap.lock"), () => {
    console.error("Another run is installing the dependencies; waiting for it …")
  })
  if (!isInstalled()) await npmCi(lock)
  lock.release()
}

const npmCi = async (lock) => {
  console.error("Installing dependencies (once) …")
  const started = Date.now()
  const [npm, ...args] = npmCommand()
  const exitCode = await run(npm, [...args, "ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund"], {
    env: { ...process.env, NODE_ENV: undefined, npm_config_loglevel: "error" },
    stdio: ["ignore", "ignore", "inherit"]
  }, lock.heldBy)
  if (interrupted !== undefined) stop("Interrupted; the next run installs them.", 128 + constants.signals[interrupted])
  if (exitCode !== 0) stop(`npm ci failed (exit code ${exitCode}): mend what it says above and try again.`, exitCode)
  writeFileSync(stamp, wanted)
  console.error(`Installed in ${((Date.now() - started) / 1_000).toFixed(1)} s.`)
}

/** The npm that runs this script, if one does (pnpm and yarn name themselves in its place), else any. */
const npmCommand = () => {
  const path = process.env.npm_execpath ?? ""
  return /npm-cli\.[cm]?js$/.test(path) ? [process.execPath, path] : ["npm"]
}

// ── The Node that runs the sources: this one if it is new enough, else the one among the dependencies.
const pickNode = () => {
  const { arch, execPath, platform, versions } = process
  const [major, minor] = versions.node.split(".").map(Number)
  if (major > 24 || (major === 24 && minor >= 6)) return execPath
  const [system, file] = platform === "win32" ? ["win", "bin/node.exe"] : [platform, "bin/node"]
  const installed = ["node", "node-bin"].map((name) => join(root, `node_modules/${name}-${system}-${arch}`, file))
  return installed.find((path) => existsSync(path)) ?? stop(
    `Varve needs Node 24.6 or newer. This is ${versions.node}, and its dependencies bring none for ${system}-${arch}.\n`
      + "Install one, from https://nodejs.org or with `nvm install 24`, and run this again with it."
  )
}

let interrupted

/** Runs a program to its end and passes signals on; gives its exit code, or 128 + n if signal n ended it. */
const run = (command, args, options, onStart = () => {}) =>
  new Promise((resolve) => {
    const child = spawn(command, args, { cwd: root, ...options })
    const forward = (signal) => {
      interrupted = signal
      // Ctrl-C in a terminal reaches the whole process group: the child has it already.
      if (signal !== "SIGINT" || !isatty(0)) child.kill(signal)
    }
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"]
    for (const signal of signals) process.on(signal, forward)
    child.on("spawn", () => onStart(child.pid))
    child.on("error", (error) => stop(`${command} did not start: ${error.message}`))
    child.on("exit", (exitCode, signal) => {
      for (const name of signals) process.off(name, forward)
      resolve(exitCode ?? 128 + constants.signals[signal])
    })
  })

await main(process.argv.slice(2)).catch(({ message }) => stop(message))
