/**
 * The room of the stores in a SQLite file: `import { Sqlite } from "varve/sqlite"`. Nobody in here imports it.
 */
export * as Sqlite from "./Sqlite.ts"
