/**
 * What every store does to what readers of the log tell it of themselves, before it looks at its data: it refuses names
 * and numbers that cannot be, and cuts texts to size. Kept in one place, so that no adapter is stricter or laxer.
 *
 * Names of readers come from code, so what is wrong with them is thrown and becomes a defect.
 */
import { InputInvalid, refuseName } from "../Admission.ts"
import type { CheckpointId, Step } from "../CheckpointStore.ts"
import type { NewDeadLetter, ParkedStream, ReaderId } from "../DeadLetters.ts"
import type { Position, StreamId } from "../Event.ts"
import type { Claim } from "../Lease.ts"

/** Throws unless a checkpoint may have this id. */
export const assertCheckpoint = (id: CheckpointId): void => {
  assertReader(id)
  assertCount("the partition", id.partition, 0)
}

/** Throws unless a checkpoint may take this step. */
export const assertStep = ({ epoch, id, revision, to }: Step): void => {
  assertCheckpoint(id)
  assertName("the epoch", epoch)
  assertCount("the revision", revision, 0)
  assertPosition(to, 0n)
}

/** Throws unless an epoch may have this name. */
export const assertEpoch = (epoch: string): void => assertName("the epoch", epoch)

/** Throws unless this can be a letter. */
export const assertLetter = ({ position, reader, stream, type }: NewDeadLetter): void => {
  assertReader(reader)
  assertPosition(position, 1n)
  assertStream(stream)
  assertName("the type", type)
}

/** Throws unless this can be a parked stream. */
export const assertParked = (
  { fromPosition, reader, stream }: Pick<ParkedStream, "reader" | "stream" | "fromPosition">
): void => {
  assertReader(reader)
  assertPosition(fromPosition, 1n)
  assertStream(stream)
}

/** Throws unless this can be a claim. */
export const assertClaim = ({ holder, millis, name }: Claim): void => {
  assertName("the lease's name", name)
  assertName("the holder", holder)
  assertCount("the lease's time", millis, 1)
}

const assertReader = ({ name, version }: ReaderId): void => {
  assertName("the reader's name", name)
  assertCount("the reader's version", version, 1)
}

const assertStream = ({ category, id, tenant }: StreamId): void => {
  assertName("the tenant", tenant)
  assertName("the category", category)
  assertName("the id", id)
}

/** Throws unless this can be a name. */
export const assertName = (what: string, name: string): void => {
  const refusal = refuseName(what, name)
  if (refusal !== undefined) throw refusal
}

const countMax = 2 ** 31 - 1

const assertCount = (what: string, count: number, min: number): void => {
  if (Number.isInteger(count) && count >= min && count <= countMax) return
  throw new InputInvalid({ what, problem: `a whole number from ${min} to ${countMax} is expected, not ${count}` })
}

const positionMax = BigInt(Number.MAX_SAFE_INTEGER)

const assertPosition = (position: Position, min: Position): void => {
  if (position >= min && position <= positionMax) return
  throw new InputInvalid({ what: "the position", problem: `it is ${position}; it goes from ${min} to ${positionMax}` })
}

/** Of the reason why a checkpoint is paused, in characters. */
export const reasonCharactersMax = 1_000

/** Of the error of a letter, in characters. */
export const errorCharactersMax = 4_000

/** The beginning of a text, in characters that every store can keep. It may come from anywhere, also from an attacker. */
export const keepable = (text: string, charactersMax: number): string => {
  // A character is one or two UTF-16 units, so this is enough of a text that may be very long.
  const characters = Array.from(text.slice(0, 2 * charactersMax + 1))
  return characters.slice(0, charactersMax).join("").replaceAll("\0", "\uFFFD").toWellFormed()
}
