/**
 * `views get` and `views list`: documents of a view, as its readers have them.
 */
import { Data, Effect, Option } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { defaultTenant } from "../Event.ts"
import { untyped } from "../internal/types.ts"
import type { App } from "./App.ts"
import * as DocumentTable from "./DocumentTable.ts"
import * as OpenedView from "./OpenedView.ts"
import * as ProjectionFlags from "./ProjectionFlags.ts"
import * as Question from "./Question.ts"
import * as StatusLine from "./StatusLine.ts"

/** There is nothing to show; `problem` says why. */
class NotShown extends Data.TaggedError("NotShown")<{ readonly problem: string }> {
  override get message() {
    return this.problem
  }
}

const name = Argument.String("view").pipe(
  Argument.withDescription("The name of the view"),
  Argument.withMetavar("NAME")
)
const tenant = Flag.String("tenant").pipe(
  Flag.withDescription(`Whose documents; those of "${defaultTenant}" unless given`),
  Flag.withMetavar("NAME"),
  Flag.withDefault(defaultTenant)
)

/** The `views get` command. */
export const get = (usual: App<unknown> | undefined) =>
  Command.make(
    "get",
    {
      ...ProjectionFlags.make(usual),
      name,
      key: Argument.String("key").pipe(
        Argument.withDescription("The key of the document"),
        Argument.withMetavar("KEY")
      ),
      tenant
    },
    ({ json, key, name, tenant, ...given }) =>
      ProjectionFlags.onKept(given, (kept) =>
        Effect.gen(function*() {
          const view = yield* OpenedView.open(kept, name)
          const document = yield* view.documents.get(key, { tenant })
          if (document === undefined) {
            const behind = OpenedView.behind(view, "It")
            const problem = `${name} has no document "${key}".`
            return yield* new NotShown({ problem: behind === undefined ? problem : `${problem} ${behind}` })
          }
          const shown = view.encode(document)
          yield* print(
            json ? JSON.stringify({ ...OpenedView.about(view), key, document: shown }) : JSON.stringify(shown, null, 2)
          )
          yield* sayBehind(view)
        }))
  ).pipe(
    Command.withDescription("Show a document of a view, as JSON"),
    Command.withExamples([
      { command: "npm start -- views get order-summaries o-000000001", description: "The demo's first order" }
    ])
  )

const flags = {
  where: Flag.String("where").pipe(
    Flag.withDescription(
      "Only documents with this value in an indexed field; null for none. May be given for several fields"
    ),
    Flag.withMetavar("FIELD=VALUE"),
    Flag.atLeast(0)
  ),
  order: Flag.String("order").pipe(
    Flag.withDescription("In the order of an indexed field, then of keys; of keys unless given"),
    Flag.withMetavar("FIELD"),
    Flag.optional
  ),
  descending: Flag.Boolean("descending").pipe(
    Flag.withDescription("That order, from its end"),
    Flag.withDefault(false)
  ),
  limit: Flag.Int("limit").pipe(
    Flag.withDescription("How many, 1 to 1,000; 20 unless given. Where so many are shown there may be more"),
    Flag.filter((limit) => limit >= 1 && limit <= 1_000, () => "from 1 to 1,000"),
    Flag.withDefault(20)
  ),
  after: Flag.String("after").pipe(
    Flag.withDescription("Only what comes after the document of this key, in the same order: to read on"),
    Flag.withMetavar("KEY"),
    Flag.optional
  ),
  tenant
}

/** The `views list` command. */
export const list = (usual: App<unknown> | undefined) =>
  Command.make(
    "list",
    { ...ProjectionFlags.make(usual), name, ...flags },
    ({ after, json, limit, name, tenant, ...asked }) =>
      ProjectionFlags.onKept(asked, (kept) =>
        Effect.gen(function*() {
          const view = yield* OpenedView.open(kept, name)
          const question = yield* Question.read(view.target, asked)
          const from = yield* place(view, question, after, tenant)
          const entries = yield* view.documents.list(untyped({ ...question, limit, tenant, after: from }))
          const documents = entries.map(({ document, key, revision }) => ({
            key,
            revision,
            document: view.encode(document)
          }))
          if (json) return yield* print(JSON.stringify({ ...OpenedView.about(view), documents }))
          if (documents.length > 0) yield* print(DocumentTable.format(documents, process.stdout.columns))
          yield* say(ending(view, documents, limit))
          yield* sayBehind(view)
        }))
  ).pipe(
    Command.withShortDescription("List documents of a view, by the value of a field and in the order of another"),
    Command.withDescription(
      "List documents of a view: all of them, or those with a value in an indexed field, in the order of keys or of an " +
        "indexed field. A view says which fields it has indexed when it is asked for another one."
    ),
    Command.withExamples([
      { command: "npm start -- views list order-summaries --where status=open", description: "The demo's open orders" },
      {
        command: "npm start -- views list order-summaries --order totalCents --descending --limit 5 --json",
        description: "The five dearest orders, for a program"
      }
    ])
  )

/** Where to read on: after a document, or, where the order is by a field, after one as it is now. */
const place = Effect.fnUntraced(function*(
  { documents, target }: OpenedView.OpenedView,
  { orderBy }: Question.Question,
  after: Option.Option<string>,
  tenant: string
) {
  if (Option.isNone(after)) return undefined
  const key = after.value
  if (orderBy === undefined) return key
  const document = yield* documents.get(key, { tenant })
  if (document !== undefined) return { key, document }
  const problem = `${target.view.name} has no document "${key}" to go on after; with --order it must be there.`
  return yield* new NotShown({ problem })
})

const ending = (
  { target }: OpenedView.OpenedView,
  documents: ReadonlyArray<{ readonly key: string }>,
  limit: number
): string => {
  const { name } = target.view
  const last = documents.at(-1)
  if (last === undefined) return `${name} has no such document.`
  const more = documents.length < limit ? "" : ` There may be more: --after ${JSON.stringify(last.key)}`
  return `${documents.length === 1 ? "1 document" : `${documents.length} documents`}.${more}`
}

const print = (text: string) => Effect.sync(() => void process.stdout.write(`${text}\n`))

const say = (text: string) => StatusLine.make(process.stderr).say(text)

/** What is shown may be of yesterday. */
const sayBehind = (view: OpenedView.OpenedView) => {
  const behind = OpenedView.behind(view, view.target.view.name)
  return behind === undefined ? Effect.void : say(behind)
}
