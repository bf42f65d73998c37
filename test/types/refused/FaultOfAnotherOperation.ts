import { Effect } from "effect"
import * as FaultyStore from "varve/testing/FaultyStore"
export const program = Effect.flatMap(
  FaultyStore.FaultyStore,
  ({ next }) => next("head", FaultyStore.lostAfter)
)
