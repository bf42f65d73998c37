/**
 * Bugs in reading events that have evolved, each of which breaks one guarantee.
 */
import type { Mutant } from "./mutant.ts"

const test = "test/runtime/Evolution.test.ts"

export const evolution: ReadonlyArray<Mutant> = [
  {
    guarantee: "I2",
    bug: "the parts of one event take versions of their own",
    file: "src/Event.ts",
    find: "    ...codec.shapeOf(event),\n",
    replace: "    ...codec.shapeOf(event),\n    version: stored.version + index,\n",
    test,
    title: "I2:"
  },
  {
    guarantee: "I2",
    bug: "an event that has become several is applied as its first part only",
    file: "src/internal/replay.ts",
    find: "for (const event of events.success) {",
    replace: "for (const event of events.success.slice(0, 1)) {",
    test,
    title: "I2:"
  },
  {
    guarantee: "I2",
    bug: "an event that was dropped does not count",
    file: "src/internal/replay.ts",
    find: "    version = stored.version\n",
    replace:
      "    if (Result.getOrThrow(decode(plan, stream, stored, stored.version)).length > 0) version = stored.version\n",
    test,
    title: "I2:"
  },
  {
    guarantee: "I9",
    bug: "who asks for a type is not given what it was called once",
    file: "src/internal/evolution.ts",
    find: "    return own || released.some(",
    replace: "    return own || released.slice(0, 0).some(",
    test,
    title: "I9:"
  },
  {
    guarantee: "I14",
    bug: "an event that is newer than this build is read as the newest that is known",
    file: "src/internal/evolution.ts",
    find: "const shape = released[stored.schemaVersion - 1]\n",
    replace: "const shape = released[stored.schemaVersion - 1] ?? released.at(-1)\n",
    test,
    title: "I14:"
  },
  {
    guarantee: "I15",
    bug: "a snapshot from before a shape was released is trusted",
    file: "src/internal/plan.ts",
    find: "releasedShapes(events).length === 0 ? types(events) : shapes(events)",
    replace: "releasedShapes(events).length === 0 ? types(events) : types(events)",
    test,
    title: "I15:"
  }
]
