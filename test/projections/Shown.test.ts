/**
 * Projections in memory: commands that wait until a view shows what they have done.
 */
import { describe, it } from "@effect/vitest"
import { memory } from "./memory.ts"
import { afterRollback, afterSwitch, duringRebuild, madeByNewerBuild, whileItLags } from "./shown.ts"

describe("who waits until a view shows what was done, reads it then", () => {
  it.effect("I16: during a rebuild, from the old version", () => duringRebuild(memory))

  it.effect("I16: after a rollback, from the old version, and waits in vain where nobody fills it", () =>
    afterRollback(memory))

  it.effect("I16: right after another process has switched to a new version, from that", () => afterSwitch(memory))

  it.effect("I16: as soon as the version that was switched to has it, and not as soon as the old one", () =>
    whileItLags(memory))

  it.effect("I16: of a worker that an event is too new for, as the newer build makes it", () =>
    madeByNewerBuild(memory))
})
