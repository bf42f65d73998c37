/**
 * `npm start`: the orders of the example and a view of them on an embedded store, with demo traffic, as a worker that
 * drains when it is asked to stop and goes on where it stopped. `npm start -- views …` asks the view, `npm start --
 * run …` carries out a file of commands instead.
 */
import { Clock, Effect, Metric, type Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { EventStore } from "varve/EventStore"
import { ProjectionHost } from "varve/ProjectionHost"
import * as Store from "varve/Store"
import * as Worker from "varve/Worker"
import { main } from "../src/cli/Main.ts"
import * as ProjectionLag from "../src/cli/ProjectionLag.ts"
import * as RunCommand from "../src/cli/RunCommand.ts"
import * as StatusLine from "../src/cli/StatusLine.ts"
import * as StoreFlags from "../src/cli/StoreFlags.ts"
import * as ViewsCommand from "../src/cli/ViewsCommand.ts"
import orders from "./orders/app.ts"
import { OrdersLive } from "./orders/Orders.ts"
import { OrderSummaries, OrderSummariesLive } from "./orders/OrderSummaries.ts"
import * as Traffic from "./orders/traffic.ts"

let drained = false

const flags = {
  ...StoreFlags.flags,
  rate: Flag.Int("rate").pipe(
    Flag.withDescription("About how many commands a second the demo sends, 1 to 1,000; 100 unless given"),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1_000 }))),
    Flag.withDefault(100)
  ),
  seed: Flag.String("seed").pipe(
    Flag.withDescription("What the demo's customers do follows from it; \"varve\" unless given"),
    Flag.withDefault("varve")
  )
}

interface Input {
  readonly rate: number
  readonly seed: string
  readonly store: Option.Option<string>
  readonly url: Option.Option<string>
}

/** Runs until it is interrupted. The store is the last to close, so the last word can say where the log ends. */
const start = Effect.fnUntraced(function*({ rate, seed, store, url }: Input) {
  const choice = yield* StoreFlags.choose({ store, url }, "orders")
  const status = StatusLine.make(process.stderr)
  const tally = Traffic.makeTally()
  const working = Effect.gen(function*() {
    const startedAt = yield* Clock.currentTimeMillis
    return yield* status.during(describe(tally, startedAt), Traffic.run({ seed, rate, tally })).pipe(
      Effect.onInterrupt(() =>
        Effect.andThen(status.say("Draining: what has begun is finished first …"), viewsCaughtUp)
      )
    )
  }).pipe(Effect.provide(Worker.layer({ aggregates: [OrdersLive], projections: [OrderSummariesLive] })))
  const farewell = Effect.gen(function*() {
    drained = true
    const position = yield* (yield* EventStore).head
    yield* status.say(`Drained after ${count(tally.commands)} commands; the log ends at position ${count(position)}.`)
    yield* status.say("Start again, and it goes on from there.")
  })
  return yield* Effect.gen(function*() {
    const position = yield* (yield* EventStore).head
    yield* status.say(
      `Orders on ${Store.placeOf(choice)}, from position ${count(position)} on. Ctrl-C drains and stops.`
    )
    return yield* Effect.onInterrupt(working, () => Effect.ignore(farewell))
  }).pipe(Effect.provide(Store.layer(choice)))
})

/** Whoever asks the view after the worker has gone would rather not find it a moment behind. */
const viewsCaughtUp = Effect.gen(function*() {
  const host = yield* ProjectionHost
  const { head } = yield* EventStore
  // What has begun is still being written: the end is where nothing more comes for a moment.
  for (let before: bigint | undefined;;) {
    const now = yield* head
    if (now === before) return
    yield* host.await(OrderSummaries.definition, now, { deadline: "2 seconds" })
    yield* Effect.sleep("100 millis")
    before = now
  }
}).pipe(Effect.timeout("3 seconds"), Effect.ignore)

/** Commands a second since it was last asked, aggregates in memory, the log's end, views, and how long commands take. */
const describe = (tally: Traffic.Tally, startedAtMillis: number) => {
  let last = { millis: startedAtMillis, commands: 0 }
  return Effect.gen(function*() {
    const millis = yield* Clock.currentTimeMillis
    const position = yield* (yield* EventStore).head
    const rate = ((tally.commands - last.commands) * 1_000) / Math.max(1, millis - last.millis)
    last = { millis, commands: tally.commands }
    return [
      `${count(Math.round(rate))} commands/s`,
      `${count(yield* active)} active`,
      `position ${count(position)}`,
      ...yield* ProjectionLag.describe,
      `p50 ${quantile(tally.latencies, 0.5)} ms`,
      `p99 ${quantile(tally.latencies, 0.99)} ms`,
      ...(tally.failed === 0 ? [] : [`${count(tally.failed)} failed`])
    ].join(" · ")
  }).pipe(Effect.catchTag("StoreUnavailable", ({ message }) => Effect.succeed(message)))
}

/** What the runtime's gauge says. */
const active = Effect.map(
  Metric.snapshot,
  (metrics) =>
    metrics.reduce(
      (sum, { id, state, type }) =>
        id === "varve_aggregates_active" && type === "Gauge" ? sum + Number(state.value) : sum,
      0
    )
)

const quantile = (values: ReadonlyArray<number>, q: number): string => {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[Math.floor((sorted.length - 1) * q)] ?? 0).toFixed(1)
}

const count = (value: number | bigint): string => value.toLocaleString("en-US")

main(
  Command.make("npm start --", flags, start).pipe(
    Command.withDescription(
      "Runs the orders of the example as a worker on an embedded store, with demo traffic. It drains on Ctrl-C or " +
        "SIGTERM, and goes on where it stopped. Meanwhile or afterwards `views` asks the view of these orders. With " +
        "`run` it carries out a file of commands instead."
    ),
    Command.withSubcommands([RunCommand.command, ViewsCommand.make(orders)]),
    Command.withExamples([
      { command: "npm start", description: "Orders on ./data/orders.sqlite" },
      { command: "npm start -- --store memory --rate 500", description: "In memory, with more traffic" },
      { command: "npm start -- views list order-summaries --where status=open", description: "Which orders are open" },
      { command: "npm start -- run --help", description: "How to carry out a file of commands" }
    ])
  ),
  { version: "0.1.0", drained: () => drained }
)
