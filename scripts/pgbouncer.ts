/**
 * A PgBouncer in front of a PostgreSQL, for tests and the bench: each transaction on whichever connection is free. It
 * comes from Debian's package `pgbouncer`, and goes with whoever started it.
 */
import { existsSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { join } from "node:path"
import { begin, freePort, keep, type Program } from "./keeper.ts"
import type { Missing, Own } from "./postgres.ts"

/** Where Debian puts it. */
export const pgbouncer = "/usr/sbin/pgbouncer"

/** Starts one before the server at `url`. It comes up in the background; wait for `ready`. */
export const start = async (url: string): Promise<Own | Missing> => {
  if (!existsSync(pgbouncer)) return { missing: `${pgbouncer} is not there; ${nextStep}` }
  const server = new URL(url)
  const pooled = new URL(url)
  pooled.port = String(await freePort())
  const wanted: Wanted = { host: server.hostname, serverPort: server.port, port: pooled.port }
  const { folder, ready, stop } = begin(import.meta.filename, wanted)
  return { url: String(pooled), ready, stop, log: join(folder, "log") }
}

const nextStep = "install Debian's package pgbouncer"

interface Wanted {
  readonly host: string
  readonly serverPort: string
  readonly port: string
}

/** As its package has it but for the mode: nothing is set that would make a client's life easier. */
const configOf = ({ host, port, serverPort }: Wanted, folder: string): string =>
  `[databases]
* = host=${host} port=${serverPort}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = trust
auth_file = ${join(folder, "users.txt")}
pool_mode = transaction
`

const prepare = (wanted: Wanted, folder: string): Program => {
  const config = join(folder, "pgbouncer.ini")
  writeFileSync(join(folder, "users.txt"), `"postgres" ""\n`)
  writeFileSync(config, configOf(wanted, folder))
  return { command: pgbouncer, args: [config], endBy: "SIGTERM", isAnswering: () => isListening(wanted.port) }
}

const isListening = (port: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(Number(port), "127.0.0.1")
    const tell = (isThere: boolean) => () => {
      socket.destroy()
      resolve(isThere)
    }
    socket.on("connect", tell(true)).on("error", tell(false))
  })

if (import.meta.main) await keep(import.meta.filename, { name: "PgBouncer", nextStep, prepare })
