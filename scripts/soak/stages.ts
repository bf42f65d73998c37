/**
 * Where the scenarios of `test/projections` take place for campaigns: a file of SQLite or a schema of PostgreSQL for
 * each, in real time, and how a process dies there.
 */
import * as PgClient from "@effect/sql-pg/PgClient"
import { Context, Effect, Layer, Redacted } from "effect"
import { SecureRandom } from "effect/crypto"
import { Reactivity } from "effect/reactivity"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { StoreUnavailable } from "../../src/EventStore.ts"
import * as Postgres from "../../src/postgres/Postgres.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import { Death, Elsewhere, type Stores } from "../../test/projections/world.ts"
import * as Cutter from "./cutter.ts"

/**
 * What a process meets when it dies: its store refuses, the adapter has a bug, it is interrupted where it is, or its
 * connections are cut and the server is left to find out.
 */
export const deaths = ["refused", "defect", "interrupted", "cut"] as const

/** One of these. */
export type DeathKind = (typeof deaths)[number]

/** A stage on SQLite, or on the PostgreSQL of a URL. Only there are connections that can be cut. */
export const stage = (url: string | undefined, death: DeathKind, lease: Stores["lease"]): Stores => ({
  layer: url === undefined ? onSqlite(death) : onPostgres(url, death),
  inTime: (run) => run,
  lease
})

const gone = Effect.fail(new StoreUnavailable({ operation: "any", detail: "the process is gone" }))

const endOf = (death: DeathKind): Effect.Effect<never, StoreUnavailable> => {
  switch (death) {
    case "defect":
      return Effect.die(new Error("a bug of the adapter, as the campaign wants it"))
    case "interrupted":
      // Whoever is told that it has died interrupts it here.
      return Effect.never
    case "refused":
    case "cut":
      return gone
  }
}

const dying = (death: DeathKind) => Layer.succeed(Death, endOf(death))

const onSqlite = (death: DeathKind): Stores["layer"] =>
  Layer.unwrap(Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "varve-stage-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ),
    (folder) => Layer.merge(Sqlite.layer({ filename: join(folder, "log.sqlite") }), dying(death))
  ))

const onPostgres = (url: string, death: DeathKind): Stores["layer"] =>
  Layer.unwrap(Effect.map(freshSchema(url), (schema) =>
    Layer.merge(
      Postgres.layer({ url, schema }),
      death === "cut" ? cutting(url, schema) : dying(death)
    )))

const cutting = (url: string, schema: string) =>
  Layer.effectContext(Effect.map(Cutter.make(url), (way) =>
    Context.make(Death, Effect.andThen(way.cut, gone)).pipe(
      Context.add(Elsewhere, Layer.build(Postgres.layer({ url: way.url, schema })))
    )))

/** A schema of its own, which is dropped with the scope. */
const freshSchema = (url: string) =>
  Effect.acquireRelease(
    Effect.sync(() => `stage_${SecureRandom.uuidV4Unsafe().replaceAll("-", "").slice(0, 30)}`),
    (schema) =>
      Effect.flatMap(PgClient.makeClient({ url: Redacted.make(url) }), (sql) =>
        sql`SET client_min_messages = error`.pipe(
          Effect.andThen(sql`DROP SCHEMA IF EXISTS ${sql(schema)} CASCADE`)
        )).pipe(Effect.provide(Reactivity.layer), Effect.scoped, Effect.orDie)
  )
