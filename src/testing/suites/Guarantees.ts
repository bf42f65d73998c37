/**
 * What a port promises, as data: for those who write the suites of `varve/testing`.
 */
import { describe, type Vitest } from "@effect/vitest"
import type { Effect, Scope } from "effect"

/** Sentences in the present, each with the Effect that fails where the sentence is not true. */
export type Guarantees<R> = Readonly<Record<string, Effect.Effect<unknown, unknown, R | Scope.Scope>>>

/** Turns the guarantees of each topic into tests, in their order. */
export const register = <R>(it: Vitest.MethodsNonLive<R>, topics: Readonly<Record<string, Guarantees<R>>>): void => {
  for (const [topic, guarantees] of Object.entries(topics)) {
    describe(topic, () => {
      for (const [sentence, guarantee] of Object.entries(guarantees)) it.effect(sentence, () => guarantee)
    })
  }
}
