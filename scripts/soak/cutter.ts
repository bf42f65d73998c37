/**
 * A way to a server that can be cut: every connection through it ends at once, on both sides, and new ones may be made.
 */
import { Effect, type Scope } from "effect"
import { type AddressInfo, connect, createServer, type Socket } from "node:net"

/** A way that is there until the scope closes. */
export interface Way {
  /** Where it begins: the URL, with another host and port. */
  readonly url: string
  readonly cut: Effect.Effect<void>
}

export const make = (url: string): Effect.Effect<Way, never, Scope.Scope> => {
  const { hostname, port } = new URL(url)
  const sockets = new Set<Socket>()
  const cut = Effect.sync(() => {
    for (const socket of sockets) socket.destroy()
  })
  const keep = (socket: Socket, other: Socket) => {
    sockets.add(socket)
    socket.setNoDelay(true).pipe(other)
    socket.on("error", () => {}).on("close", () => {
      sockets.delete(socket)
      other.destroy()
    })
  }
  const open = Effect.callback<ReturnType<typeof createServer>>((resume) => {
    const server = createServer((near) => {
      const far = connect(Number(port), hostname)
      keep(near, far)
      keep(far, near)
    })
    server.listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
  })
  return Effect.map(
    Effect.acquireRelease(open, (server) => Effect.andThen(cut, Effect.sync(() => server.close()))),
    (server) => {
      const way = new URL(url)
      way.hostname = "127.0.0.1"
      way.port = String((server.address() as AddressInfo).port)
      return { url: String(way), cut }
    }
  )
}
