/** An app whose lines leave nothing behind in any store: what grows while it runs is the runner's own. */
import { Effect, Schema } from "effect"
import * as Aggregate from "../../src/Aggregate.ts"
import * as App from "../../src/cli/App.ts"
import * as Event from "../../src/Event.ts"

class Tallies extends Aggregate.Service<Tallies>()("Tally", {
  state: Schema.Int,
  events: Event.union({ Counted: {} }),
  commands: [Aggregate.command("look")]
}) {}

const TalliesLive = Tallies.toLayer({
  initial: 0,
  evolve: { Counted: (total) => total + 1 },
  handlers: { look: () => Aggregate.decide([]) }
})

export default App.make({
  name: "tally",
  aggregates: TalliesLive,
  line: Schema.Struct({ word: Schema.String }),
  key: ({ word }) => word,
  // One in ten asks an aggregate, the others nobody: it is the lines that are many.
  execute: ({ word }) =>
    word.endsWith("0") ? Effect.flatMap(Tallies, (tallies) => tallies.of(word).look()) : Effect.void
})

process.on("exit", () => process.stderr.write(`peak ${process.resourceUsage().maxRSS} KiB\n`))
