/**
 * What the lease of a projection's partition is called: so that whoever looks after it finds it.
 */
import type { CheckpointId } from "../CheckpointStore.ts"

/** Who holds it works on that partition. */
export const leaseName = ({ name, partition, version }: CheckpointId): string =>
  `projection/${name}/${version}/${partition}`
