/**
 * Dead letters and parked streams in the file of the log, in one transaction with whatever else is kept there.
 */
import { Effect } from "effect"
import { DeadLetters, type ReaderId } from "../DeadLetters.ts"
import type { Position } from "../Event.ts"
import { byCodePoints } from "../internal/order.ts"
import { pageLimit } from "../internal/pages.ts"
import { assertLetter, assertParked, errorCharactersMax, keepable } from "../internal/readers.ts"
import type { SqliteReaderStatements } from "./SqliteReaderStatements.ts"
import type { SqliteTurns } from "./SqliteTurns.ts"

/** The dead letters over an open file whose tables are up to date. */
export const make = (
  statements: SqliteReaderStatements,
  { read, write }: SqliteTurns,
  storeId: string
): DeadLetters["Service"] =>
  DeadLetters.of({
    storeId,
    put: (letter) =>
      Effect.suspend(() => {
        assertLetter(letter)
        const error = keepable(letter.error, errorCharactersMax)
        return write("put", (nowMillis) => statements.upsertLetter({ ...letter, error }, nowMillis))
      }),
    list: ({ after, limit = 100, reader }) =>
      read("list", () =>
        reader === undefined
          ? statements.letters(placeOf(after), pageLimit(limit))
          : statements.lettersOf(reader, positionBehind(reader, after), pageLimit(limit))),
    get: (reader, position) => read("get", () => statements.letter(reader, Number(position))),
    count: (reader) => read("count", () => statements.countLetters(reader)),
    remove: (reader, position) => write("remove", () => statements.deleteLetter(reader, Number(position))),
    clear: (reader) =>
      write("clear", () => {
        statements.deleteLetters(reader)
        statements.deleteParked(reader)
      }),
    park: (stream) =>
      Effect.suspend(() => {
        assertParked(stream)
        return write("park", (sinceMillis) => statements.insertParked({ ...stream, sinceMillis }))
      }),
    parked: (reader) => read("parked", () => statements.parked(reader)),
    unpark: (stream) => write("unpark", () => statements.deleteStream(stream))
  })

/** After what a list begins. */
type After = { readonly position: Position; readonly reader?: ReaderId | undefined } | undefined

/** Readers have names, so all letters of a position come after one without. */
const placeOf = (after: After): { readonly position: number; readonly reader: ReaderId } => {
  const position = Number(after?.position ?? 0n)
  if (after?.reader === undefined) return { position: position + 1, reader: { name: "", version: 0 } }
  return { position, reader: after.reader }
}

/** After which position the letters of a reader begin: another reader's may leave this one's at the same position. */
const positionBehind = ({ name, version }: ReaderId, after: After): number => {
  const position = Number(after?.position ?? 0n)
  if (after?.reader === undefined) return position
  const order = byCodePoints(name, after.reader.name) || version - after.reader.version
  return order > 0 ? position - 1 : position
}
