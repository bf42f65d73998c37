/**
 * The public API in one document, `src/api.md`, and what its documentation owes to users. For whoever changes an
 * export: `npm run api` writes it, and its difference in a commit is what users will notice.
 *
 * Everything that is exported has a docstring. What users call or provide has an example in it, which `docs.ts` runs:
 * functions, Layers, services. Errors need none, since they are caught and not made. The exceptions are below.
 */
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Export, type Face, faces, type Kind } from "./declarations.ts"
import { format } from "./formatter.ts"
import { type Problem, report } from "./problems.ts"
import { read, root } from "./sources.ts"

const path = "src/api.md"

const needsExample: ReadonlySet<Kind> = new Set<Kind>(["function", "layer", "service"])

/** What has no example, and why. */
const exceptions: Readonly<Record<string, string>> = {
  "varve/testing/FaultySnapshotStore#layer": "the example of `FaultySnapshotStore` provides it",
  "varve/testing/FaultyStore#layer": "the example of `FaultyStore` provides it",
  "varve/testing/FaultyStore#layerShared": "it is provided as `layer` is",
  "varve/testing/TestRuntime#TestRuntime": "tests ask the functions of its module, which ask it",
  "varve/testing/TestRuntime#idle": "one test shows them all: the example of `layer`",
  "varve/testing/TestRuntime#settled": "the example of `layer`",
  "varve/testing/TestRuntime#given": "the example of `layer`",
  "varve/testing/TestRuntime#events": "the example of `layer`",
  "varve/testing/TestRuntime#appendedBy": "the example of `layer`",
  "varve/testing/TestRuntime#layerOver": "it is provided as `layer` is",
  "varve/testing/TestRuntime#layerWith": "it is provided as `layer` is"
}

// ── The document

const render = (all: ReadonlyArray<Face>): string => {
  const text = [
    "# The public API of Varve",
    "",
    "What every module exports, with its type and the first sentence of its documentation. Written by `npm run api`" +
    " from the declarations; the gate fails when it is out of date.",
    ...all.flatMap(section)
  ].join("\n")
  return format({ path, text: `${text}\n` })
}

const section = ({ again, docstring, exports, specifier }: Face): ReadonlyArray<string> => [
  "",
  `## ${specifier}`,
  "",
  firstSentence(docstring),
  ...(again.length === 0
    ? []
    : ["", ...again.map(({ from, names }) => `- ${names.map(quoted).join(", ")} of ${quoted(from)}`)]),
  ...exports.flatMap(item)
]

const quoted = (name: string): string => `\`${name}\``

const item = ({ docstring, name, signatures }: Export): ReadonlyArray<string> => [
  "",
  `### ${name}`,
  "",
  firstSentence(docstring),
  "",
  "```ts",
  ...signatures,
  "```"
]

/** Up to a full stop before a blank; a list or an example ends it too. */
const firstSentence = (docstring: string): string => {
  const [paragraph = ""] = docstring.split(/\n\s*\n|\n- |\n@/)
  const line = paragraph.replaceAll(/\s+/g, " ").trim()
  return /^.*?\.(?= |$)/.exec(line)?.[0] ?? line
}

const isCurrent = (document: string): ReadonlyArray<Problem> => {
  if (existsSync(join(root, path)) && read(path).text === document) return []
  return [{ path, message: "is not what the declarations say: `npm run api` writes it; read what has changed" }]
}

// ── What is owed

const owed = (all: ReadonlyArray<Face>): ReadonlyArray<Problem> => {
  const excused = new Set<string>()
  const problems = all.flatMap(({ exports, source, specifier }) =>
    exports.flatMap(({ docstring, kind, name }) => {
      if (docstring === "") return [{ path: source, message: `\`${name}\` has no docstring` }]
      if (!needsExample.has(kind) || /^@example$/m.test(docstring)) return []
      const key = `${specifier}#${name}`
      excused.add(key)
      return key in exceptions ? [] : [{ path: source, message: `\`${name}\` is a ${kind} without an @example` }]
    })
  )
  const idle = Object.keys(exceptions)
    .filter((key) => !excused.has(key))
    .map((key) => ({ path: "scripts/api.ts", message: `${key} is no exception any more` }))
  return [...problems, ...idle]
}

const main = () => {
  const all = faces()
  const document = render(all)
  if (process.argv.includes("--fix")) writeFileSync(join(root, path), document)
  const count = all.reduce((sum, { exports }) => sum + exports.length, 0)
  report([...isCurrent(document), ...owed(all)], `${count} exports of ${all.length} modules`)
}

main()
