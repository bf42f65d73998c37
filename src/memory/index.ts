/**
 * The room of the stores in memory: `import { Memory } from "varve/memory"`. Nobody in here imports it.
 */
export * as Memory from "./Memory.ts"
