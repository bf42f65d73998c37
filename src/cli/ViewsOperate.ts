/**
 * `views pause`, `resume`, `reset`, `accept`, `rollback`, `unpin` and `drop`: what an operator does to a projection as a
 * whole. It is done in the store, whether a worker has the projection or not.
 */
import { Data, Duration, Effect, Schema } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import type { OperationFailure, Projections } from "../Projections.ts"
import type { App } from "./App.ts"
import * as ProjectionFlags from "./ProjectionFlags.ts"
import * as ProjectionStatus from "./ProjectionStatus.ts"

/** What cannot be taken back was not asked for with --yes; `problem` says what it would do. */
class Unconfirmed extends Data.TaggedError("Unconfirmed")<{ readonly problem: string }> {
  override get message() {
    return `${this.problem} Add --yes if that is what you want.`
  }
}

/** Nothing is kept of that version. */
class VersionUnknown extends Data.TaggedError("VersionUnknown")<{
  readonly name: string
  readonly version: number
  readonly versions: ProjectionStatus.Status["versions"]
}> {
  override get message() {
    const all = this.versions.map(({ version }) => version).join(", ")
    return `Nothing is kept of version ${this.version} of ${this.name}; there is ${all === "" ? "none at all" : all}.`
  }
}

/** The flags and the name. */
const common = (usual: App<unknown> | undefined) => ({
  ...ProjectionFlags.make(usual),
  name: Argument.String("projection").pipe(
    Argument.withDescription("The name of the projection"),
    Argument.withMetavar("NAME")
  )
})

interface Common extends ProjectionFlags.Given {
  readonly name: string
  readonly json: boolean
}

/** Does it, and says what has become of it: in words, or how it stands now. */
const operate = <E>(
  { json, name, ...given }: Common,
  act: (operations: Projections["Service"]) => Effect.Effect<void, E>,
  words: (status: ProjectionStatus.Status) => string
) =>
  ProjectionFlags.onKept(given, (kept) =>
    Effect.gen(function*() {
      yield* ProjectionFlags.findKept(kept, name)
      yield* act(kept.operations)
      const all = yield* ProjectionStatus.gather(kept.operations, name)
      const text = json ? ProjectionStatus.toJson(all) : all.map(words).join("\n")
      yield* Effect.sync(() => void process.stdout.write(`${text}\n`))
    }))

const yes = Flag.Boolean("yes").pipe(Flag.withDescription("Do it without being asked"), Flag.withDefault(false))

const confirmed = (
  isConfirmed: boolean,
  problem: string,
  act: Effect.Effect<void, OperationFailure>
): Effect.Effect<void, OperationFailure | Unconfirmed> => isConfirmed ? act : new Unconfirmed({ problem })

const atOnce = ({ state }: ProjectionStatus.Status): string => state === "running" ? "" : " as soon as a worker has it"

/** The `views pause` command. */
export const pause = (usual: App<unknown> | undefined) =>
  Command.make(
    "pause",
    {
      ...common(usual),
      reason: Flag.String("reason").pipe(
        Flag.withDescription("Why, for those who ask how it stands"),
        Flag.withMetavar("TEXT"),
        Flag.withDefault("by hand")
      )
    },
    ({ reason, ...given }) =>
      operate(
        given,
        ({ pause }) => pause(given.name, { reason }),
        ({ name }) => `${name} is paused, whoever runs it. \`views resume ${name}\` lets it go on.`
      )
  ).pipe(Command.withDescription("Let nobody go on with a projection, in no worker, until it is resumed"))

/** The `views resume` command. */
export const resume = (usual: App<unknown> | undefined) =>
  Command.make(
    "resume",
    common(usual),
    (given) =>
      operate(given, ({ resume }) => resume(given.name), (status) => `${status.name} goes on${atOnce(status)}.`)
  ).pipe(
    Command.withShortDescription("Let a projection go on that was paused"),
    Command.withDescription(
      "Let a projection go on that was paused: by hand, or at an event that it could not work off, which is tried again"
    )
  )

/** The `views reset` command. */
export const reset = (usual: App<unknown> | undefined) =>
  Command.make("reset", { ...common(usual), yes }, ({ yes, ...given }) =>
    operate(
      given,
      ({ reset }) =>
        confirmed(
          yes,
          `This empties ${given.name} and fills it from the first event on; what it holds is missing meanwhile. If it ` +
            "must not be, raise its version instead: the old one is read until the new one has caught up.",
          reset(given.name)
        ),
      (status) => `${status.name} is empty, and begins at the first event${atOnce(status)}.`
    )).pipe(
      Command.withDescription("Empty a projection, forget its letters, and let it begin at the first event"),
      Command.withExamples([{ command: "npm start -- views reset order-summaries --yes", description: "Fill it anew" }])
    )

/** The `views accept` command. */
export const accept = (usual: App<unknown> | undefined) =>
  Command.make(
    "accept",
    common(usual),
    (given) =>
      operate(given, ({ accept }) => accept(given.name), (status) => `${status.name} goes on${atOnce(status)}.`)
  ).pipe(
    Command.withShortDescription("Let a projection go on after its log was restored"),
    Command.withDescription(
      "Let a projection go on after its log was restored from a copy, because what it has read is still true"
    )
  )

const versionOf = Argument.Int("version").pipe(Argument.withMetavar("VERSION"))

/** The `views rollback` command. */
export const rollback = (usual: App<unknown> | undefined) =>
  Command.make(
    "rollback",
    {
      ...common(usual),
      to: versionOf.pipe(Argument.withDescription("The version to be read from now on")),
      deadline: Flag.String("deadline").pipe(
        Flag.withDescription("How long to wait until that version has caught up; \"30 seconds\" unless given"),
        Flag.withMetavar("DURATION"),
        Flag.withSchema(Schema.DurationFromString),
        Flag.withDefault(Duration.seconds(30))
      )
    },
    ({ deadline, to, ...given }) =>
      operate(
        given,
        ({ rollback }) => rollback(given.name, to, { deadline }),
        ({ name }) => `Version ${to} of ${name} is read from now on, until \`views unpin ${name}\`.`
      )
  ).pipe(
    Command.withShortDescription("Let an older version of a view be read"),
    Command.withDescription(
      "Let an older version be read, or any other one: once it has caught up, which needs a worker that has its code. No " +
        "newer one takes over by itself until `unpin`."
    ),
    Command.withExamples([{
      command: "npm start -- views rollback order-summaries 1",
      description: "Back to version 1"
    }])
  )

/** The `views unpin` command. */
export const unpin = (usual: App<unknown> | undefined) =>
  Command.make("unpin", common(usual), (given) =>
    operate(
      given,
      ({ unpin }) => unpin(given.name),
      ({ name }) => `A newer version of ${name} takes over by itself again, once it has caught up.`
    )).pipe(Command.withDescription("Let newer versions take over by themselves again, after a rollback"))

/** The `views drop` command. */
export const drop = (usual: App<unknown> | undefined) =>
  Command.make(
    "drop",
    {
      ...common(usual),
      version: versionOf.pipe(Argument.withDescription("A version that is neither read nor that of this code")),
      yes
    },
    ({ version, yes, ...given }) =>
      operate(
        given,
        ({ drop, status }) =>
          Effect.gen(function*() {
            const problem = `This forgets version ${version} of ${given.name}: its documents, and how far it had come.`
            const [{ versions } = { versions: [] }] = yield* status(given.name)
            if (!versions.some((each) => each.version === version)) {
              return yield* new VersionUnknown({ ...given, version, versions })
            }
            return yield* confirmed(yes, problem, drop(given.name, version))
          }),
        ({ name }) => `Version ${version} of ${name} is gone.`
      )
  ).pipe(Command.withDescription("Forget a version that nobody reads any more: its documents, progress and letters"))
