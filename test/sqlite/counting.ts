/**
 * What several processes count together: the checkpoint and the view that they share.
 */
import type { CheckpointId } from "../../src/CheckpointStore.ts"
import type { ViewDefinition } from "../../src/ViewStore.ts"

export const id: CheckpointId = { name: "counting", version: 1, partition: 0 }
export const view: ViewDefinition = { name: "counting", version: 1, indexes: [{ field: "n", type: "number" }] }
export const tenant = "t"
