/**
 * A file of commands, one JSON value a line, plain or gzipped, or standard input: read in bounded memory, however long
 * the file or a line of it.
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import { Data, Effect, Option, Stream } from "effect"
import { createHash } from "node:crypto"
import { closeSync, createReadStream, openSync, readSync, statSync } from "node:fs"
import { pipeline, type Readable } from "node:stream"
import { createGunzip } from "node:zlib"

/** A line of the file, counted from 1; empty ones are left out. A `problem` says why its text cannot be used. */
export interface Line {
  readonly number: number
  readonly text: string
  readonly problem: string | undefined
}

/** Where the commands come from, and what is known of them beforehand. */
export interface CommandFile {
  /** Names the commands: the id of each is this and the number of its line. */
  readonly batch: string
  /** How many lines there are; unknown for standard input. */
  readonly count: Option.Option<number>
  readonly lines: Stream.Stream<Line, UnreadableFile>
}

/** The file cannot be read; `problem` says why and what to do. */
export class UnreadableFile extends Data.TaggedError("UnreadableFile")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

/** A longer line is bad; it is skipped without being held in memory. */
const lineBytesMax = 4 * 1024 * 1024

/**
 * Opens a file. It is read once beforehand, to count its lines and, unless a batch is given, to name it by the SHA-256
 * of what its lines say: the same lines in the same places are the same batch, under whatever name, packed or not, and
 * whatever blanks stand at its end.
 */
export const open = Effect.fnUntraced(
  function*(path: string, given?: string): Effect.fn.Return<CommandFile, UnreadableFile> {
    yield* Effect.try({ try: () => refuseOthers(path), catch: unreadable(path) })
    const { batch, count } = yield* survey(path)
    return { batch: given ?? batch, count: Option.some(count), lines: lines(content(path), path) }
  }
)

/** Standard input, once. Its batch has a given name, since its content is not known beforehand. */
export const standardInput = (batch: string): CommandFile => ({
  batch,
  count: Option.none(),
  lines: lines(() => process.stdin, "standard input")
})

/** A file is read twice, which a pipe cannot be. */
const refuseOthers = (path: string): void => {
  const found = statSync(path)
  if (found.isDirectory()) throw new Error("it is a folder")
  if (!found.isFile()) {
    throw new Error("it is a pipe or a device; name it - and give --batch NAME, with the pipe as input")
  }
}

const unreadable = (path: string) => (cause: unknown): UnreadableFile => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const problem = problems.get(code) ?? (cause instanceof Error ? cause.message : String(cause))
  return new UnreadableFile({ problem: `Cannot read ${path}: ${problem}.` })
}

const problems: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file"],
  ["EACCES", "it may not be read"],
  ["Z_BUF_ERROR", "it is cut short; its gzip data has no end"],
  ["Z_DATA_ERROR", "it is not gzip data, or it is damaged"]
])

/** The bytes of a file, unpacked if it is gzipped. */
const content = (path: string) => (): Readable => {
  // A failure of the first is a failure of the last, which is the one that is read.
  const failed = () => {}
  return isPacked(path)
    ? pipeline(createReadStream(path), createGunzip(), failed)
    : createReadStream(path)
}

/** By its name, or by the two bytes with which gzip data begins and no text does. */
const isPacked = (path: string): boolean => {
  if (path.endsWith(".gz")) return true
  const file = openSync(path, "r")
  try {
    const head = Buffer.alloc(2)
    return readSync(file, head) === 2 && head.readUInt16BE() === 0x1f8b
  } finally {
    closeSync(file)
  }
}

/** Hashed are the lines with their numbers, since the ids of commands hold these: blank lines before a line count. */
const survey = (path: string): Effect.Effect<{ readonly batch: string; readonly count: number }, UnreadableFile> =>
  Effect.suspend(() => {
    const hash = createHash("sha256")
    let count = 0
    const read = Stream.runForEach(lines(content(path), path), ({ number, problem = "", text }) =>
      Effect.sync(() => {
        count++
        hash.update(`${number} ${problem}${text}\n`)
      }))
    return Effect.map(read, () => ({ batch: hash.digest("hex"), count }))
  })

const lines = (source: () => Readable, path: string): Stream.Stream<Line, UnreadableFile> =>
  Stream.suspend(() => {
    const splitter = makeSplitter()
    const chunks = Stream.unwrap(Effect.map(
      Effect.try({ try: source, catch: unreadable(path) }),
      (readable) =>
        NodeStream.fromReadable<Uint8Array, UnreadableFile>({ evaluate: () => readable, onError: unreadable(path) })
    ))
    return Stream.concat(
      Stream.flatMap(chunks, (chunk) => Stream.fromIterable(splitter.push(chunk))),
      Stream.suspend(() => Stream.fromIterable(splitter.end()))
    ).pipe(Stream.filter(({ problem, text }) => text !== "" || problem !== undefined))
  })

const newline = 10

/** Cuts bytes into lines. Bytes, because a character may be cut in two by a chunk and a line may hold no text at all. */
const makeSplitter = () => {
  let pending: Array<Uint8Array> = []
  let bytes = 0
  let number = 0
  const cut = (): Line => {
    const line = toLine(++number, pending, bytes)
    pending = []
    bytes = 0
    return line
  }
  const keep = (part: Uint8Array) => {
    bytes += part.length
    if (bytes <= lineBytesMax) pending.push(part)
    else pending = []
  }
  return {
    push: (chunk: Uint8Array): ReadonlyArray<Line> => {
      const found: Array<Line> = []
      let start = 0
      for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
        keep(chunk.subarray(start, end))
        found.push(cut())
        start = end + 1
      }
      if (start < chunk.length) keep(chunk.slice(start))
      return found
    },
    end: (): ReadonlyArray<Line> => (bytes > 0 ? [cut()] : [])
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

const toLine = (number: number, parts: ReadonlyArray<Uint8Array>, bytes: number): Line => {
  if (bytes > lineBytesMax) {
    return { number, text: "", problem: `it is longer than ${lineBytesMax} bytes` }
  }
  try {
    return { number, text: utf8.decode(Buffer.concat(parts)).trim(), problem: undefined }
  } catch {
    return { number, text: "", problem: "it is not valid UTF-8" }
  }
}
