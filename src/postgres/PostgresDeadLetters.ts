/**
 * Dead letters and parked streams in the schema of the log, part of whatever transaction they are asked in.
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Effect } from "effect"
import { type DeadLetter, DeadLetters, type DeadReason, type ParkedStream, type ReaderId } from "../DeadLetters.ts"
import type { Position } from "../Event.ts"
import { pageLimit } from "../internal/pages.ts"
import { assertLetter, assertParked, errorCharactersMax, keepable } from "../internal/readers.ts"
import { untyped } from "../internal/types.ts"
import type { PostgresClient, Row } from "./PostgresClient.ts"
import * as Rows from "./PostgresRows.ts"
import type { PostgresStatements } from "./PostgresStatements.ts"

/** The dead letters over a schema that is up to date. */
export const make = (
  { change, look }: PostgresClient["Service"],
  statements: PostgresStatements,
  storeId: string
): DeadLetters["Service"] =>
  DeadLetters.of({
    storeId,
    put: (letter) =>
      Effect.suspend(() => {
        assertLetter(letter)
        const { error, position, reader, reason, stream, type } = letter
        const texts = [type, reason, keepable(error, errorCharactersMax)].map(PgTypes.text)
        const parameters = [...readerKey(reader), Rows.position(position), ...Rows.key(stream), ...texts]
        return Effect.asVoid(change(statements.putLetter, parameters))
      }),
    list: ({ after, limit = 100, reader }) => {
      const page = [...behind(after), Rows.limit(pageLimit(limit))]
      const rows = reader === undefined
        ? look(statements.letters, page)
        : look(statements.lettersOf, [...readerKey(reader), ...page])
      return Effect.map(rows, (found) => found.map(letter))
    },
    get: (reader, position) =>
      Effect.map(
        look(statements.letter, [...readerKey(reader), Rows.position(position)]),
        ([row]) => row && letter(row)
      ),
    count: (reader) =>
      Effect.map(look(statements.countLetters, readerKey(reader)), ([row]) => Number(untyped<bigint>(row![0]))),
    remove: (reader, position) =>
      Effect.map(
        change(statements.removeLetter, [...readerKey(reader), Rows.position(position)]),
        ({ length }) => length > 0
      ),
    clear: (reader) => Effect.asVoid(change(statements.clearLetters, readerKey(reader))),
    park: (parked) =>
      Effect.suspend(() => {
        assertParked(parked)
        const { fromPosition, stream } = parked
        const rest = [...Rows.key(stream), Rows.position(fromPosition)]
        return Effect.asVoid(change(statements.park, [...parkedKey(parked), ...rest]))
      }),
    parked: (reader) =>
      Effect.map(look(statements.parked, readerKey(reader)), (rows) => rows.map((row) => parkedStream(reader, row))),
    unpark: (parked) =>
      Effect.map(
        change(statements.unpark, [...parkedKey(parked), Rows.position(parked.fromPosition)]),
        ({ length }) => length > 0
      )
  })

const readerKey = ({ name, version }: ReaderId) => [Rows.name(name), Rows.number(version)] as const

const parkedKey = ({ reader, stream }: Pick<ParkedStream, "reader" | "stream">) =>
  [...readerKey(reader), Rows.streamKey(stream)] as const

/** Who names no reader is behind all of that position. */
const behind = (
  after: { readonly position: Position; readonly reader?: ReaderId | undefined } | undefined
): ReadonlyArray<PgTypes.Parameter> => {
  const { position, reader } = after ?? { position: 0n }
  return reader === undefined
    ? [Rows.position(position + 1n), PgTypes.text(""), PgTypes.int4(0)]
    : [Rows.position(position), Rows.bound(reader.name), Rows.version(reader.version)]
}

const letter = (row: Row): DeadLetter => {
  const [name, version, position, tenant, category, id, type, reason, error, attempts, firstAt, lastAt] = untyped<
    readonly [string, number, Position, string, string, string, string, DeadReason, string, number, Date, Date]
  >(row)
  return {
    reader: { name, version },
    position,
    stream: { tenant, category, id },
    type,
    reason,
    error,
    attempts,
    firstAtMillis: firstAt.getTime(),
    lastAtMillis: lastAt.getTime()
  }
}

const parkedStream = ({ name, version }: ReaderId, row: Row): ParkedStream => {
  const [tenant, category, id, fromPosition, since] = untyped<readonly [string, string, string, Position, Date]>(row)
  return {
    reader: { name, version },
    stream: { tenant, category, id },
    fromPosition,
    sinceMillis: since.getTime()
  }
}
