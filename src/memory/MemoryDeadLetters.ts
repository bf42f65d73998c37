/**
 * Dead letters and parked streams in memory, in one transaction with whatever else is kept there.
 */
import { Effect, HashMap, Option } from "effect"
import { type DeadLetter, DeadLetters, type NewDeadLetter, type ParkedStream, type ReaderId } from "../DeadLetters.ts"
import type { Position, StreamId } from "../Event.ts"
import { byCodePoints } from "../internal/order.ts"
import { pageLimit } from "../internal/pages.ts"
import { assertLetter, assertParked, errorCharactersMax, keepable } from "../internal/readers.ts"
import * as MemoryTables from "./MemoryTables.ts"

/** The dead letters over tables in memory. */
export const make = (tables: MemoryTables.MemoryTables, storeId: string): DeadLetters["Service"] =>
  DeadLetters.of({
    storeId,
    put: (letter) =>
      Effect.suspend(() => {
        assertLetter(letter)
        return MemoryTables.write(tables, (state, nowMillis) => {
          const key = letterKey(letter.reader, letter.position)
          const last = Option.getOrUndefined(HashMap.get(state.letters, key))
          const letters = HashMap.set(state.letters, key, kept(letter, last, nowMillis))
          return [undefined, { ...state, letters }]
        })
      }),
    list: ({ after, limit = 100, reader }) =>
      MemoryTables.read(tables, ({ letters }) =>
        Array.from(HashMap.values(letters))
          .filter((letter) => reader === undefined || isOf(letter, reader))
          .filter((letter) => after === undefined || inOrder(letter, after) > 0)
          .sort(inOrder)
          .slice(0, pageLimit(limit))),
    get: (reader, position) =>
      MemoryTables.read(
        tables,
        ({ letters }) => Option.getOrUndefined(HashMap.get(letters, letterKey(reader, position)))
      ),
    count: (reader) =>
      MemoryTables.read(
        tables,
        ({ letters }) => HashMap.size(HashMap.filter(letters, (letter) => isOf(letter, reader)))
      ),
    remove: (reader, position) =>
      MemoryTables.write(tables, (state) => {
        const key = letterKey(reader, position)
        return HashMap.has(state.letters, key)
          ? [true, { ...state, letters: HashMap.remove(state.letters, key) }]
          : [false, state]
      }),
    clear: (reader) =>
      MemoryTables.write(tables, (state) => {
        const letters = HashMap.filter(state.letters, (letter) => !isOf(letter, reader))
        const parked = HashMap.filter(state.parked, (stream) => !isOf(stream, reader))
        return [undefined, { ...state, letters, parked }]
      }),
    park: (stream) =>
      Effect.suspend(() => {
        assertParked(stream)
        return MemoryTables.write(tables, (state, nowMillis) => {
          const key = streamKey(stream.reader, stream.stream)
          if (HashMap.has(state.parked, key)) return [undefined, state]
          return [undefined, { ...state, parked: HashMap.set(state.parked, key, parked(stream, nowMillis)) }]
        })
      }),
    parked: (reader) =>
      MemoryTables.read(tables, ({ parked }) =>
        Array.from(HashMap.values(parked))
          .filter((stream) => isOf(stream, reader))
          .sort((a, b) => a.fromPosition < b.fromPosition ? -1 : 1)),
    unpark: ({ fromPosition, reader, stream }) =>
      MemoryTables.write(tables, (state) => {
        const key = streamKey(reader, stream)
        const found = Option.getOrUndefined(HashMap.get(state.parked, key))
        return found?.fromPosition === fromPosition
          ? [true, { ...state, parked: HashMap.remove(state.parked, key) }]
          : [false, state]
      })
  })

const letterKey = ({ name, version }: ReaderId, position: Position): string =>
  JSON.stringify([name, version, `${position}`])

const streamKey = ({ name, version }: ReaderId, { category, id, tenant }: StreamId): string =>
  JSON.stringify([name, version, tenant, category, id])

/** Whether a reader has parked any stream. */
export const hasParked = ({ parked }: MemoryTables.State, reader: ReaderId): boolean =>
  HashMap.some(parked, (stream) => isOf(stream, reader))

const isOf = (one: { readonly reader: ReaderId }, { name, version }: ReaderId): boolean =>
  one.reader.name === name && one.reader.version === version

/** Which comes first; whoever names no reader is behind all of that position. */
const inOrder = (
  a: Pick<DeadLetter, "position" | "reader">,
  b: { readonly position: Position; readonly reader?: ReaderId | undefined }
): number => {
  if (a.position !== b.position) return a.position < b.position ? -1 : 1
  if (b.reader === undefined) return -1
  return byCodePoints(a.reader.name, b.reader.name) || a.reader.version - b.reader.version
}

const kept = (
  { error, position, reader, reason, stream, type }: NewDeadLetter,
  last: DeadLetter | undefined,
  nowMillis: number
): DeadLetter =>
  Object.freeze({
    reader: Object.freeze({ name: reader.name, version: reader.version }),
    position,
    stream: last?.stream ?? frozenStream(stream),
    type: last?.type ?? type,
    reason,
    error: keepable(error, errorCharactersMax),
    attempts: (last?.attempts ?? 0) + 1,
    firstAtMillis: last?.firstAtMillis ?? nowMillis,
    lastAtMillis: nowMillis
  })

const parked = (
  { fromPosition, reader, stream }: Pick<ParkedStream, "reader" | "stream" | "fromPosition">,
  sinceMillis: number
): ParkedStream =>
  Object.freeze({
    reader: Object.freeze({ name: reader.name, version: reader.version }),
    stream: frozenStream(stream),
    fromPosition,
    sinceMillis
  })

const frozenStream = ({ category, id, tenant }: StreamId): StreamId => Object.freeze({ tenant, category, id })
