/**
 * A store that has trouble with some streams, and makes no difference between an append alone and one in a group: what
 * happens to the call happens to all of it. For the campaign `groups`.
 */
import { Context, Effect, Layer, Result } from "effect"
import { admitMetadata } from "../../src/Admission.ts"
import * as Event from "../../src/Event.ts"
import { type Append, AppendLost, EventStore, StoreUnavailable } from "../../src/EventStore.ts"
import { foreignN, type Trouble } from "./neighbours.ts"

/** What the campaign commands. */
export class TroubledStore extends Context.Service<TroubledStore, {
  /** From now on until `end`. */
  readonly make: (id: string, trouble: Trouble) => void
  /** Ends all troubles, and says who met one. */
  readonly end: () => ReadonlySet<string>
  /** How many groups of two appends at least there were. */
  readonly sentTogether: () => number
}>()("soak/TroubledStore") {
  /** Over the store at hand, as if others wrote to it: every answer passes it. */
  static readonly layer = Layer.effectContext(Effect.gen(function*() {
    const inner = yield* EventStore
    const troubles = new Map<string, Trouble>()
    const met = new Set<string>()
    let together = 0

    /** Whether a call with these streams meets a trouble; those that happen once are over then. */
    const meets = (group: ReadonlyArray<Append>, trouble: Trouble): boolean => {
      let found = false
      for (const { id } of group.flat().map(({ stream }) => stream)) {
        if (troubles.get(id) !== trouble) continue
        found = true
        met.add(id)
        if (trouble !== "dies" && trouble !== "refuses") troubles.delete(id)
      }
      return found
    }

    const conflict = (group: ReadonlyArray<Append>) =>
      Effect.forEach(
        group,
        (append) => meets([append], "conflict") ? inner.append([foreign(append[0].stream)]) : Effect.void
      )

    const append: EventStore["Service"]["append"] = (group) =>
      Effect.suspend(() => {
        if (group.length > 1) together++
        if (meets(group, "lostBefore")) return Effect.fail(lost)
        if (meets(group, "refuses")) return Effect.fail(refused)
        if (meets(group, "dies")) return Effect.die(bug)
        return Effect.flatMap(Effect.andThen(conflict(group), inner.append(group)), (statuses) => {
          // It dies once it has written: of a conflict nobody would have learnt.
          const written = group.filter((_, index) => statuses[index]!._tag === "Committed")
          if (meets(written, "diesAfter")) return Effect.die(bug)
          return meets(group, "lostAfter") ? Effect.fail(lost) : Effect.succeed(statuses)
        })
      })

    const controls = TroubledStore.of({
      make: (id, trouble) => troubles.set(id, trouble),
      end: () => {
        const all = new Set(met)
        troubles.clear()
        met.clear()
        return all
      },
      sentTogether: () => together
    })
    const store = EventStore.of({ ...inner, versionNow: undefined, appendNow: undefined, append })
    return Context.make(EventStore, store).pipe(Context.add(TroubledStore, controls))
  }))
}

const lost = new AppendLost({ detail: "as the campaign wants it" })
const refused = new StoreUnavailable({ operation: "append", detail: "as the campaign wants it" })
const bug = new Error("a bug of the adapter")

let made = 0

/** Another writer's. */
const foreign = (stream: Event.StreamId): Append => [{
  stream,
  expected: "any",
  events: [Result.getOrThrow(Event.make({
    eventId: `10000000-0000-7000-8000-${(made++).toString(16).padStart(12, "0")}`,
    type: "Added",
    schemaVersion: 1,
    data: { n: foreignN },
    metadata: Result.getOrThrow(admitMetadata({}))
  }))],
  receipts: []
}]
