/**
 * A server that admits nobody without TLS and a password: the store speaks to it if it shows the right certificate, and
 * says the password to nobody else.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { assert, describe, it } from "@effect/vitest"
import { strictEqual } from "@effect/vitest/utils"
import { Cause, Effect, Exit, Logger, Redacted, References, Stream, Tracer } from "effect"
import { Reactivity } from "effect/reactivity"
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { inspect } from "node:util"
import { afterAll } from "vitest"
import * as Server from "../../scripts/postgres.ts"
import type * as Postgres from "../../src/postgres/Postgres.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"
import { varve } from "../cli/processes.ts"
import { onPostgres, open, url as sharedUrl } from "./server.ts"

const password = "canary-kx7vq2"

interface Certificate {
  readonly certificate: string
  readonly key: string
}

/** A certificate that nobody else has signed; undefined without the program that makes one. */
const makeCertificate = (name: string): Certificate | undefined => {
  const folder = mkdtempSync(join(tmpdir(), "varve-certificate-"))
  const [keyFile, file] = [join(folder, "key.pem"), join(folder, "certificate.pem")]
  const { status } = spawnSync("openssl", [
    "req",
    "-x509",
    "-nodes",
    "-days",
    "2",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-subj",
    `/CN=${name}`,
    "-addext",
    "subjectAltName=IP:127.0.0.1",
    "-keyout",
    keyFile,
    "-out",
    file
  ])
  const made = status === 0
    ? { certificate: readFileSync(file, "utf8"), key: readFileSync(keyFile, "utf8") }
    : undefined
  rmSync(folder, { recursive: true })
  return made
}

/** Who sets the server up may come without either. */
const admitted = `hostnossl all postgres 127.0.0.1/32 trust
hostssl all all 127.0.0.1/32 scram-sha-256
`

const begin = async (certificate: Certificate | undefined): Promise<Server.Own | Server.Missing> => {
  if (certificate === undefined) return { missing: "the program openssl is not here, which makes certificates" }
  const server = await Server.startOwn({
    settings: { ssl: "on" },
    files: { "server.crt": certificate.certificate, "server.key": certificate.key, "pg_hba.conf": admitted }
  })
  const found = "missing" in server ? server : await Server.whenReady(server)
  return "missing" in found ? found : server as Server.Own
}

/** Everything that an application's logs and traces would hold. */
const listening = () => {
  const heard: Array<string> = []
  const logger = Logger.make((options) => heard.push(Logger.formatJson.log(options), inspect(options.cause)))
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const spans: Array<Tracer.NativeSpan> = []
  const listen = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    effect.pipe(
      Effect.withSpan("caller"),
      Effect.provideService(Tracer.Tracer, tracer),
      Effect.provideService(References.MinimumLogLevel, "All"),
      Effect.provide(Logger.layer([logger]))
    )
  const all = () => [
    ...heard,
    ...spans.map(({ attributes, events, name, status }) => inspect({ name, attributes, events, status }, { depth: 12 }))
  ]
  return { listen, all, spans }
}

/** An outcome in all the ways in which it might be printed. */
const printed = (exit: Exit.Exit<unknown, unknown>): ReadonlyArray<string> =>
  Exit.isSuccess(exit)
    ? [inspect(exit.value, { depth: 12, showHidden: true })]
    : [Cause.pretty(exit.cause), inspect(exit, { depth: 12, showHidden: true }), JSON.stringify(exit), String(exit)]

/** A role with a password, and a schema of its own. */
const makeRole = (url: string) =>
  Effect.flatMap(connect(url), (sql) =>
    sql.unsafe(`CREATE ROLE app LOGIN PASSWORD '${password}'`).pipe(
      Effect.andThen(sql`CREATE SCHEMA varve AUTHORIZATION app`)
    ))

const connect = (url: string) => PgClient.makeClient({ url: Redacted.make(url) }).pipe(Effect.provide(Reactivity.layer))

const certificate = makeCertificate("varve test")
const server = await begin(certificate)
if ("stop" in server) {
  afterAll(server.stop)
  await Effect.runPromise(Effect.scoped(makeRole(server.url)))
}

const asApp = (url: string) => url.replace("postgres@", `app:${password}@`)

const on = (url: string, options: Partial<Postgres.Options> = {}) => ({
  url: asApp(url),
  behindPooler: false,
  ...options
})

const onTls = (test: (url: string, trusted: Postgres.Options["ssl"]) => void) =>
  "missing" in server
    ? it("a server with TLS", ({ skip }) => skip(server.missing))
    : test(server.url, { ca: certificate!.certificate })

onPostgres(() =>
  onTls((url, ssl) =>
    describe("a server with TLS and passwords", () => {
      it.live("is spoken to when its certificate is trusted, on every connection with TLS", () =>
        Effect.gen(function*() {
          const { events, sql } = yield* open(on(url, { ssl }))
          const [status] = yield* events.append([[Sample.write(Sample.stream(), 0, Sample.events(3))]])
          strictEqual(status!._tag, "Committed")
          const following = Stream.runCollect(Stream.take(events.follow({ after: 0n }), 1))
          strictEqual((yield* following)[0]!.events.length, 3)
          yield* sql`SELECT 1`
          const sessions =
            yield* (yield* connect(url))`SELECT DISTINCT s.ssl FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid)
            WHERE a.usename = 'app'`
          assert.deepStrictEqual(sessions, [{ ssl: true }])
        }))

      it.live("is not spoken to when its certificate is unknown, nor one without TLS that must have it", () =>
        Effect.gen(function*() {
          const other = makeCertificate("varve test")!.certificate
          const sharedRole = sharedUrl.replace("postgres@", `app:${password}@`)
          const refused = [
            [on(url, { ssl: true }), "DEPTH_ZERO_SELF_SIGNED_CERT"],
            [on(`${url}?sslmode=require`), "DEPTH_ZERO_SELF_SIGNED_CERT"],
            [on(url, { ssl: { ca: other } }), "SIGN"],
            [on(url, { ssl: true }), "the server's certificate is not trusted"],
            [on(url), "the server does not admit this user without TLS: add sslmode=require to the URL"],
            [
              { url: `${sharedRole}?sslmode=require`, behindPooler: false },
              "the connection failed: the server has no TLS. Turn it on there, or leave sslmode"
            ]
          ] as const
          for (const [options, problem] of refused) {
            const { lasting, message } = yield* Effect.flip(Effect.scoped(open(options)))
            assert.include(message, problem)
            assert.include(message, "The store is unavailable (open): ")
            assert.isTrue(lasting, message)
          }
        }))

      it.live("says what is wrong with the password, and with what a user may do", () =>
        Effect.gen(function*() {
          const without = url.replace("postgres@", "app@")
          const wrong = url.replace("postgres@", "app:other@")
          const cut = url.replace("postgres@", "app:1/2@")
          const refused = [
            [{ url: without, ssl }, "(open): the server wants a password, and the URL has none: user:password@host"],
            [{ url: wrong, ssl }, "(open): the server does not take this user's password: mend the one in the URL"],
            [
              { url: url.replace("postgres@", "app:50%@"), ssl },
              "(open): its URL has a % that stands for nothing. In a"
            ],
            [{ url: cut, ssl }, "(open): its URL ends within the password. In a password, write @ : / ? # %"],
            [on(`${url}?sslmode=on`), "(open): the sslmode of its URL must be one of disable, allow, prefer, require,"],
            [
              on(url, { ssl, schema: "elsewhere" }),
              "(migrate): the user lacks a privilege: have the owner of the schema"
            ]
          ] as const
          for (const [options, problem] of refused) {
            const { lasting, message } = yield* Effect.flip(Effect.scoped(open({ behindPooler: false, ...options })))
            assert.include(message, problem)
            assert.isTrue(lasting, message)
          }
        }))

      it.live("I22: the password is in no log, no span, no error and no value that is printed", () =>
        Effect.gen(function*() {
          const { all, listen, spans } = listening()
          const wrong = [
            on(url, { ssl }),
            on(url, { ssl, url: Redacted.make(asApp(url)) }),
            on(url, { ssl, url: url.replace("postgres@", `app:wrong-${password}@`) }),
            on(url, { ssl, url: url.replace("postgres@", `nobody:${password}@`) }),
            on(url, { ssl: true }),
            on(url),
            on("postgres://postgres@127.0.0.1:1/postgres", { ssl }),
            on("postgres://postgres@127.0.0.1:port/postgres", { ssl }),
            on(`${url}?sslmode=whatever`),
            on(url, { url: asApp(url).replace(password, `${password}%zz`) })
          ]
          const use = (options: Partial<Postgres.Options>) =>
            Effect.scoped(Effect.gen(function*() {
              const stores = yield* open(options)
              const stream = Sample.stream()
              yield* stores.events.append([[Sample.write(stream, 0, Sample.events(1))]])
              yield* stores.events.readStream(stream)
              const mistaken = yield* Effect.exit(stores.sql`SELECT nothing FROM nowhere`)
              const ended = yield* Effect.exit(stores.sql`SELECT pg_terminate_backend(pg_backend_pid())`)
              yield* Effect.logError("what an application logs", stores.sql.config, stores)
              return [stores, printed(mistaken), printed(ended)]
            }))
          const exits = yield* Effect.forEach(wrong, (options) => Effect.exit(listen(use(options))))
          strictEqual(exits.filter(Exit.isSuccess).length, 2)
          assert.isAbove(spans.length, wrong.length)
          const lines = [...all(), ...exits.flatMap(printed)].flatMap((text) => text.split("\n"))
          assert.isAbove(lines.filter((line) => line.includes("nowhere")).length, 0)
          assert.deepStrictEqual(lines.filter((line) => line.includes(password)), [])
        }))

      it("I22: the command line does not say it either", async () => {
        const ended = await varve(["migrate", "--store", "postgres", "--url", `${asApp(url)}?sslmode=require`])
        strictEqual(ended.exitCode, 1)
        assert.include(ended.stderr, "DEPTH_ZERO_SELF_SIGNED_CERT")
        assert.notInclude(`${ended.stdout}${ended.stderr}`, password)
      })
    })
  )
)
