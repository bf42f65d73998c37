/**
 * The modules of the contestants. Those of the peers are not there for the compiler before they are installed, so their
 * names are no literals where they are imported.
 */
import type { OpenReadings } from "./Readings.ts"
import type { Contestant } from "./Row.ts"
import type { Open } from "./World.ts"

type Name = Contestant["module"]

const worlds: Readonly<Record<Name, string>> = {
  varve: "./varve.ts",
  ceiling: "./ceiling.ts",
  emmett: "./peers/emmett.ts",
  castore: "./peers/castore.ts",
  messageDb: "./peers/messageDb.ts",
  bare: "./peers/bare.ts"
}

/** Those that have a read side. */
const readings: Readonly<Partial<Record<Name, string>>> = {
  varve: "./varveReadings.ts",
  ceiling: "./ceilingReadings.ts",
  emmett: "./peers/emmettReadings.ts",
  bare: "./peers/bareReadings.ts"
}

/** How a contestant opens a store with ledgers in it. */
export const open = (name: Name): Promise<Open> => load<Open>(worlds[name])

/** How a contestant opens a store of whose log something is made. */
export const openReadings = (name: Name): Promise<OpenReadings> => load<OpenReadings>(readings[name])

const load = async <Opened>(path: string | undefined): Promise<Opened> => {
  if (path === undefined) throw new Error("it has nothing that does this")
  return (await import(new URL(path, import.meta.url).href) as { readonly open: Opened }).open
}
