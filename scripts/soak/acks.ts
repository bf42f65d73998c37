/**
 * For `durability.ts`, as a process of its own: sends commands one after the other to accounts on a SQLite file, and
 * writes a line to standard output at every answer, at once.
 *
 * `node scripts/soak/acks.ts FILE COMMANDS`
 */
import { Effect, Layer } from "effect"
import { writeSync } from "node:fs"
import * as AggregateRuntime from "../../src/AggregateRuntime.ts"
import * as Sqlite from "../../src/sqlite/Sqlite.ts"
import { Accounts, AccountsLive, Supervisor } from "../../test/fixtures/Account.ts"

const [filename = "", commands = "0"] = process.argv.slice(2)

const program = Effect.gen(function*() {
  const accounts = yield* Accounts
  for (let number = 1; number <= Number(commands); number++) {
    const account = accounts.of(`account-${number % 10}`, { commandId: `command-${number}` })
    // A "no" leaves a receipt, which must be as durable as an event.
    yield* number % 4 === 0
      ? Effect.asVoid(Effect.flip(account.withdraw({ cents: 1_000_000 })))
      : Effect.asVoid(account.deposit({ cents: number }))
    writeSync(1, `answer ${number}\n`)
  }
})

const live = AccountsLive.pipe(
  Layer.provide(AggregateRuntime.layer),
  Layer.provide(Supervisor.layerYes),
  Layer.provide(Sqlite.layer({ filename }))
)

await Effect.runPromise(Effect.provide(program, live))
