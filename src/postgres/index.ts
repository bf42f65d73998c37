/**
 * The room of the stores in PostgreSQL: `import { Postgres } from "varve/postgres"`. Nobody in here imports it.
 */
export * as Postgres from "./Postgres.ts"
export * as PostgresTransaction from "./PostgresTransaction.ts"
