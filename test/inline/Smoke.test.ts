import { assert, it } from "@effect/vitest"
import { Context, Effect } from "effect"
import { Accounts } from "../fixtures/Account.ts"
import { memory } from "./memory.ts"
import { assertFolded, assertSeen, fold, look, scenario, start } from "./world.ts"
import * as Sample from "../../src/testing/suites/Sample.ts"

it.effect("smoke", () => scenario(memory, Effect.gen(function*() {
  const process = yield* start()
  const accounts = Context.get(process.context, Accounts)
  const seen = []
  for (let n = 1; n < 50; n++) {
    const { position } = yield* accounts.of(`a-${n % 5}`, { returning: "commit" }).deposit({ cents: n, note: `n${n%3}` })
    seen.push(yield* look(process, "balances", `a-${n%5}`, position!))
    seen.push(yield* look(process, "notes", `all`, position!))
  }
  yield* accounts.of("a-1").transfer({ cents: 10, to: "a-2" })
  yield* assertFolded
  assertSeen(fold(yield* Sample.wholeLog(0n)), [...seen, ...process.changes])
  yield* Effect.sleep("1 millis")
  assert.isAbove(process.changes.length, 60)
})))
