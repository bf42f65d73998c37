/**
 * Bugs in what users test with: a tool that lies is worse than none.
 */
import type { Mutant } from "./mutant.ts"

export const testing: ReadonlyArray<Mutant> = [
  {
    guarantee: "idle",
    bug: "what is ready to run is not counted",
    file: "src/testing/runtime/Turns.ts",
    find: "ready === 0 ? Effect.void : stillness",
    replace: "Effect.void",
    test: "test/testing/TestRuntime.test.ts",
    title: "idle"
  },
  {
    guarantee: "idle",
    bug: "it ends while commands are under way",
    file: "src/testing/TestRuntime.ts",
    find: "count === 0 ? Effect.void : Effect.andThen(change, idle)",
    replace: "Effect.void",
    test: "test/testing/TestRuntime.test.ts",
    title: "idle"
  },
  {
    guarantee: "idle",
    bug: "what the work has led to is not looked at",
    file: "src/testing/TestRuntime.ts",
    find: "Effect.andThen(change, idle)",
    replace: "change",
    test: "test/testing/TestRuntime.test.ts",
    title: "idle"
  },
  {
    guarantee: "idle",
    bug: "the runtime does not show its fibers",
    file: "src/AggregateRuntime.ts",
    find: "    watchWork(fibers)\n",
    replace: "",
    test: "test/testing/TestRuntime.test.ts",
    title: "idle"
  },
  {
    guarantee: "clock",
    bug: "a second clock beside that of it.effect",
    file: "src/testing/TestRuntime.ts",
    find: "\"adjust\" in clock ?",
    replace: "false ?",
    test: "test/testing/TestRuntime.test.ts",
    title: "clock"
  },
  {
    guarantee: "clock",
    bug: "the test is not told of the virtual clock",
    file: "src/testing/TestRuntime.ts",
    find: "      Context.add(Clock.Clock, clock),\n",
    replace: "",
    test: "test/testing/TestRuntime.test.ts",
    title: "clock"
  },
  {
    guarantee: "end",
    bug: "what could be done is interrupted",
    file: "src/testing/TestRuntime.ts",
    find: "        yield* Effect.addFinalizer(() => stillness)\n",
    replace: "",
    test: "test/testing/TestRuntime.test.ts",
    title: "end"
  },
  {
    guarantee: "end",
    bug: "a drain deadline of the aggregate's own is ignored",
    file: "src/testing/TestRuntime.ts",
    find: "drainDeadline: settings.drainDeadline ?? 0",
    replace: "drainDeadline: 0",
    test: "test/testing/TestRuntime.test.ts",
    title: "end"
  },
  {
    guarantee: "seed",
    bug: "chance comes from elsewhere",
    file: "src/testing/TestRuntime.ts",
    find: "      Context.add(Random.Random, random),\n",
    replace: "",
    test: "test/testing/TestRuntime.test.ts",
    title: "seed"
  },
  {
    guarantee: "seed",
    bug: "event ids come from elsewhere",
    file: "src/testing/TestRuntime.ts",
    find: "      Context.add(EventId.EventIds, EventIds.make(seed, clock)),\n",
    replace: "",
    test: "test/testing/TestRuntime.test.ts",
    title: "seed"
  },
  {
    guarantee: "seed",
    bug: "two seeds lead to the same ids",
    file: "src/testing/runtime/EventIds.ts",
    find: "randomOf(seed)",
    replace: "randomOf(1)",
    test: "test/testing/TestRuntime.test.ts",
    title: "seed"
  },
  {
    guarantee: "seed",
    bug: "ids of one moment do not sort",
    file: "src/testing/runtime/EventIds.ts",
    find: "const count = made++ % 2 ** 26",
    replace: "const count = 2 ** 26 - 1 - made++",
    test: "test/testing/TestRuntime.test.ts",
    title: "seed"
  },
  {
    guarantee: "frozen",
    bug: "only the outermost object is frozen",
    file: "src/testing/runtime/Frozen.ts",
    find: "  for (const inner of heldBy(value)) freeze(inner)\n",
    replace: "",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "frozen",
    bug: "maps, sets and dates can be changed",
    file: "src/testing/runtime/Frozen.ts",
    find:
      "  for (const method of changing(value)) Object.defineProperty(value, method, { value: refusal(value, method) })\n",
    replace: "",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "frozen",
    bug: "Effect's own data types are frozen, with their caches",
    file: "src/testing/runtime/Frozen.ts",
    find: "!ArrayBuffer.isView(value) && !isEffectData(value)",
    replace: "!ArrayBuffer.isView(value)",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "frozen",
    bug: "a handler that is an Effect is not told who it was",
    file: "src/testing/runtime/Frozen.ts",
    find: "Effect.catchDefect(answer, (defect) => Effect.die(blame(defect, given)))",
    replace: "answer",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "frozen",
    bug: "handlers are given what can be changed",
    file: "src/testing/runtime/Frozen.ts",
    find: "const given = freeze(context)",
    replace: "const given = context",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "frozen",
    bug: "evolve is given what can be changed",
    file: "src/testing/runtime/Frozen.ts",
    find: "{ state: freeze(state), event: freeze(event) }",
    replace: "{ state, event }",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "frozen",
    bug: "the state that evolve returns can be changed",
    file: "src/testing/runtime/Frozen.ts",
    find: "return freeze(attempt(() => apply(state, event), (error) => blame(error, given)))",
    replace: "return attempt(() => apply(state, event), (error) => blame(error, given))",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "frozen",
    bug: "an error of somebody else's making is taken for a write",
    file: "src/testing/runtime/Frozen.ts",
    find: "  if (paths.length === 0) return undefined\n",
    replace: "",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "frozen",
    bug: "a ring is walked for ever",
    file: "src/testing/runtime/Frozen.ts",
    find: "  done.add(value)\n",
    replace: "",
    test: "test/testing/Frozen.test.ts",
    title: "frozen"
  },
  {
    guarantee: "fault",
    bug: "the other writer writes nothing",
    file: "src/testing/FaultyStore.ts",
    find: "Faults.first(Writes.write(inner, nextEventId, writes))",
    replace: "Faults.passes",
    test: "test/testing/FaultyStore.test.ts",
    title: "fault"
  },
  {
    guarantee: "fault",
    bug: "a write of the test that fails goes unnoticed",
    file: "src/testing/runtime/Writes.ts",
    find: "if (problem !== undefined) throw",
    replace: "if (problem === \"\") throw",
    test: "test/testing/FaultyStore.test.ts",
    title: "fault"
  },
  {
    guarantee: "fault",
    bug: "what is lost afterwards was never written",
    file: "src/testing/FaultyStore.ts",
    find: "(call) => Effect.andThen(call, Effect.fail(lost))",
    replace: "() => Effect.fail(lost)",
    test: "test/testing/FaultyStore.test.ts",
    title: "fault"
  },
  {
    guarantee: "fault",
    bug: "what is lost before is written",
    file: "src/testing/FaultyStore.ts",
    find: "lostBefore: Faults.Fault<AppendLost> = () => Effect.fail(lost)",
    replace: "lostBefore: Faults.Fault<AppendLost> = (call) => Effect.andThen(call, Effect.fail(lost))",
    test: "test/testing/FaultyStore.test.ts",
    title: "fault"
  },
  {
    guarantee: "I7",
    bug: "a call whose reply is lost is not made",
    file: "src/testing/Faults.ts",
    find: "replyLost: Fault = (call) => Effect.andThen(call, Effect.never)",
    replace: "replyLost: Fault = () => Effect.never",
    test: "test/testing/FaultyStore.test.ts",
    title: "I7:"
  },
  {
    guarantee: "I7",
    bug: "a call that hangs is made",
    file: "src/testing/Faults.ts",
    find: "hangs: Fault = () => Effect.never",
    replace: "hangs: Fault = (call) => Effect.andThen(call, Effect.never)",
    test: "test/testing/FaultyStore.test.ts",
    title: "I7:"
  },
  {
    guarantee: "fault",
    bug: "the nth call is the one after it",
    file: "src/testing/Faults.ts",
    find: "plan[nth - 1] = fault",
    replace: "plan[nth] = fault",
    test: "test/testing/FaultyStore.test.ts",
    title: "fault"
  },
  {
    guarantee: "fault",
    bug: "a call that passes counts as one that met a fault",
    file: "src/testing/Faults.ts",
    find: "      if (faulty !== call) met.add(operation)\n",
    replace: "      met.add(operation)\n",
    test: "test/testing/FaultyStore.test.ts",
    title: "fault"
  },
  {
    guarantee: "fault",
    bug: "who waits for a count is not woken",
    file: "src/testing/Faults.ts",
    find: "      for (const look of waiting) look()\n",
    replace: "",
    test: "test/testing/FaultyStore.test.ts",
    title: "fault"
  },
  {
    guarantee: "fault",
    bug: "the seed does not matter",
    file: "src/testing/Faults.ts",
    find: "const random = randomOf(seed)",
    replace: "const random = randomOf(1)",
    test: "test/testing/FaultyStore.test.ts",
    title: "fault"
  }
]
