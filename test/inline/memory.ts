/**
 * The stores in memory, where time passes when all that can be done at a moment is done.
 */
import * as Memory from "../../src/memory/Memory.ts"
import { memory as projections } from "../projections/memory.ts"
import type { Stores } from "./world.ts"

export const memory: Stores = { layer: Memory.layer, inTime: projections.inTime }
