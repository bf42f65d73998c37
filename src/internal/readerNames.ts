/**
 * What a projection's partitions are called where others see them: in leases, and in dead letters.
 */
import type { CheckpointId } from "../CheckpointStore.ts"

/** The lease of who works on a partition. */
export const leaseName = ({ partition, ...reader }: CheckpointId): string => `${leasesName(reader)}${partition}`

/** What the leases of all its partitions begin with. */
export const leasesName = ({ name, version }: Omit<CheckpointId, "partition">): string =>
  `projection/${name}/${version}/`

/** Whose the dead letters of a partition are. */
export const letterName = ({ name, partition }: Pick<CheckpointId, "name" | "partition">, partitions: number): string =>
  partitions === 1 ? name : `${name}/${partition}`
