/**
 * Fixtures of events in a folder, for `Event.coverage`: one JSON file for each shape that was ever released.
 */
import { readdirSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"

/**
 * Reads the fixtures of a folder: `OrderPlaced@1.json` holds the data of one event of this shape, or a list of several.
 * Other files are left alone. Throws if a file is no JSON.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { mkdtempSync, writeFileSync } from "node:fs"
 * import { tmpdir } from "node:os"
 * import { join } from "node:path"
 * import * as Event from "varve/Event"
 * import * as EventFixtures from "varve/testing/EventFixtures"
 *
 * const folder = mkdtempSync(join(tmpdir(), "fixtures-"))
 * writeFileSync(join(folder, "Opened@1.json"), "{}")
 *
 * Event.coverage([Event.union({ Opened: {} })], EventFixtures.read(folder))
 * ```
 */
export const read = (folder: string): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    readdirSync(folder).filter((file) => file.endsWith(".json")).map((
      file
    ) => [basename(file, ".json"), parse(folder, file)])
  )

const parse = (folder: string, file: string): unknown => {
  try {
    return JSON.parse(readFileSync(join(folder, file), "utf8"))
  } catch (cause) {
    throw new Error(`The fixture ${file} is not valid JSON`, { cause })
  }
}
