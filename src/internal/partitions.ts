/**
 * Which of several partitions a stream or a document belongs to. It must be the same in every process and for ever, since
 * a checkpoint of each partition says what of its part is done.
 */
import type { StreamId } from "../Event.ts"

/** One partition of so many. */
export interface Share {
  readonly partition: number
  readonly partitions: number
}

/** Whether this partition is the one that looks after a document of a tenant. */
export const isOwn = ({ partition, partitions }: Share, tenant: string, key: string): boolean =>
  partitions === 1 || (add(add(basis, tenant), key) >>> 0) % partitions === partition

/** Whether this partition is the one that looks after a stream. */
export const isOwnStream = ({ partition, partitions }: Share, { category, id, tenant }: StreamId): boolean =>
  partitions === 1 || (add(add(add(basis, tenant), category), id) >>> 0) % partitions === partition

const basis = 0x811c9dc5

/** FNV-1a of 32 bits, over the UTF-16 units of a name and an end mark. */
const add = (sum: number, name: string): number => {
  let next = sum
  for (let index = 0; index < name.length; index++) next = Math.imul(next ^ name.charCodeAt(index), 0x01000193)
  return Math.imul(next ^ 0x1_0000, 0x01000193)
}
