/**
 * The house: which room a module is in, and what it may import. For whoever adds a module, and for whoever reads them
 * all: the list below is the reading order.
 *
 * A module may import what stands on a lower floor, and what stands before it in its own room; types as well as values.
 * Rooms of one floor do not know each other. `node scripts/floors.ts` says where the sources do otherwise.
 */
import { posix } from "node:path"
import { type Problem, report } from "./problems.ts"
import { files, type Import, importsOf, parse, read } from "./sources.ts"

interface Room {
  readonly floor: number
  readonly name: string
  /** In reading order, without `src/` and `.ts`. `memory/*` is all of a folder, in any order, but without cycles. */
  readonly modules: ReadonlyArray<string>
  /** The packages it may import, submodules included; absent: any. */
  readonly packages?: ReadonlyArray<string>
  /** Rooms of its own floor that it may know. */
  readonly knows?: ReadonlyArray<string>
}

const rooms: ReadonlyArray<Room> = [
  {
    floor: 0,
    name: "words", // pure values: no clock, no fibers
    modules: [
      "internal/json",
      "internal/frozen",
      "Admission",
      "internal/shapes",
      "internal/codec",
      "internal/evolution",
      "internal/coverage",
      "Event",
      "Command",
      "Decision"
    ],
    packages: ["effect"]
  },
  {
    floor: 1,
    name: "ports", // a service, its errors, its contract in prose; no bodies
    modules: [
      "EventStore",
      "SnapshotStore",
      "CheckpointStore",
      "ViewStore",
      "InlineViews",
      "Lease",
      "DeadLetters",
      "ProjectionHost",
      "InlineHost",
      "Projections",
      "AggregateHost"
    ],
    packages: ["effect"]
  },
  {
    floor: 2,
    name: "definitions", // what users write: values that name ports
    modules: [
      "internal/clients",
      "internal/types",
      "Aggregate",
      "internal/viewDocuments",
      "internal/documentForm",
      "internal/viewReads",
      "internal/declaration",
      "internal/viewLayers",
      "Projection"
    ],
    packages: ["effect"]
  },
  {
    floor: 2,
    name: "stores", // what every adapter of the log does in the same way
    modules: [
      "internal/order",
      "internal/pages",
      "internal/readers",
      "internal/documents",
      "internal/appends",
      "internal/inline"
    ],
    packages: ["effect"]
  },
  {
    floor: 3,
    name: "runtime", // fibers; knows ports, never adapters
    modules: [
      "internal/elapsed",
      "internal/failure",
      "internal/fingerprint",
      "internal/plan",
      "internal/telemetry",
      "internal/replay",
      "internal/envelope",
      "internal/verdict",
      "internal/outcome",
      "internal/batch",
      "internal/mailbox",
      "internal/resident",
      "internal/defects",
      "internal/sending",
      "internal/loopTurn",
      "internal/groups",
      "internal/registration",
      "internal/passivation",
      "internal/eventId",
      "internal/work",
      "internal/asking",
      "internal/life",
      "internal/snapshots",
      "internal/finish",
      "internal/inlineRefusals",
      "internal/speculation",
      "internal/commit",
      "internal/currentState",
      "internal/aggregateFiber",
      "internal/supervision",
      "internal/drain",
      "internal/seal",
      "internal/execute",
      "internal/consistent",
      "internal/reads",
      "AggregateRuntime",
      "Repository",
      "internal/delivery",
      "internal/routing",
      "internal/partitions",
      "internal/applier",
      "internal/documentCache",
      "internal/viewApplier",
      "internal/foldApplier",
      "internal/sqlApplier",
      "internal/effectApplier",
      "internal/attention",
      "internal/readerNames",
      "internal/liveVersions",
      "internal/projectionTelemetry",
      "internal/reader",
      "internal/volatileLedger",
      "internal/backoff",
      "internal/holding",
      "internal/chain",
      "internal/digest",
      "internal/handover",
      "internal/pursuit",
      "internal/tenure",
      "internal/listeners",
      "internal/running",
      "internal/waits",
      "internal/handBack",
      "internal/stepping",
      "internal/upkeep",
      "internal/reports",
      "ProjectionRunner",
      "internal/arrival",
      "internal/inlineTexts",
      "internal/inlineView",
      "internal/inlineDecisions",
      "internal/inlineAppends",
      "InlineRuntime"
    ],
    packages: ["effect", "node:crypto"]
  },
  // Adapters know ports, never the runtime, never each other but for what they share in sql/.
  { floor: 3, name: "memory", modules: ["memory/*"], packages: ["effect"] },
  { floor: 3, name: "sql", modules: ["sql/*"], packages: ["effect"] },
  { floor: 3, name: "sqlite", modules: ["sqlite/*"], knows: ["sql"] },
  { floor: 3, name: "postgres", modules: ["postgres/*"], knows: ["sql"] },
  { floor: 3, name: "kafka", modules: ["kafka/*"] },
  { floor: 3, name: "nats", modules: ["nats/*"] },
  { floor: 3, name: "rabbitmq", modules: ["rabbitmq/*"] },
  { floor: 3, name: "redis", modules: ["redis/*"] },
  {
    floor: 4,
    name: "hosts", // compose runtime and ports
    modules: ["Store", "Worker", "cluster/*"],
    packages: ["effect"]
  },
  {
    floor: 5,
    name: "faces", // index is the last: it imports everything, and nobody imports it
    modules: ["testing/*", "http/*", "dashboard/*", "cli/*", "index"]
  }
]

/** Where a module is: its room, and its place among the room's modules. */
interface Place {
  readonly room: Room
  readonly index: number
}

const placeOf = (path: string): Place | undefined => {
  for (const room of rooms) {
    const index = room.modules.findIndex((module) => matches(module, path))
    if (index !== -1) return { room, index }
  }
  return undefined
}

const matches = (module: string, path: string): boolean =>
  module.endsWith("/*") ? path.startsWith(`src/${module.slice(0, -1)}`) : path === `src/${module}.ts`

const check = (path: string): ReadonlyArray<Problem> => {
  const place = placeOf(path)
  if (place === undefined) {
    const message = "is in no room: name it in scripts/floors.ts, after what it imports and before what imports it"
    return [{ path, message }]
  }
  return importsOf(parse(read(path))).flatMap(({ line, specifier }) => {
    const message = specifier.startsWith(".")
      ? objectToModule(place, targetOf(path, specifier))
      : objectToPackage(place, specifier)
    return message === undefined ? [] : [{ path, line, message }]
  })
}

const targetOf = (path: string, specifier: Import["specifier"]): string => posix.join(posix.dirname(path), specifier)

const objectToModule = (from: Place, target: string): string | undefined => {
  const to = placeOf(target)
  if (to === undefined || to.room.floor < from.room.floor || from.room.knows?.includes(to.room.name)) return undefined
  const imports = `imports ${target}, which is`
  if (to.room.floor > from.room.floor) {
    return `${imports} higher up (${titleOf(to)}; this is ${
      titleOf(from)
    }): take it as an argument or a service instead`
  }
  if (to.room !== from.room) {
    return `${imports} next door (${titleOf(to)}; this is ${
      titleOf(from)
    }): let a port or a word (floors 0 and 1) join them`
  }
  if (to.index <= from.index) return undefined
  return `${imports} after it in scripts/floors.ts: move it up there, or, if both need each other, into a third module`
}

const titleOf = ({ room }: Place): string => `floor ${room.floor}, ${room.name}`

const objectToPackage = ({ room }: Place, specifier: string): string | undefined => {
  if (specifier === "varve" || specifier.startsWith("varve/")) return `imports "${specifier}": name the file, "./….ts"`
  const known = room.packages?.some((name) => specifier === name || specifier.startsWith(`${name}/`)) ?? true
  return known ? undefined : `imports "${specifier}", but ${room.name} may import only ${room.packages?.join(", ")}`
}

/** Where a room is given as a folder there is no order, so cycles have to be looked for. */
const findCycles = (paths: ReadonlyArray<string>): ReadonlyArray<Problem> => {
  const unordered = paths.filter((path) => isFolder(placeOf(path)))
  const problems: Array<Problem> = []
  const done = new Set<string>()
  const walk = (path: string, trail: ReadonlyArray<string>): void => {
    if (trail.includes(path)) {
      const cycle = [...trail.slice(trail.indexOf(path)), path].join(" → ")
      problems.push({ path, message: `imports itself: ${cycle}; what they all need belongs in a module of its own` })
    }
    if (done.has(path)) return
    done.add(path)
    for (const { specifier } of importsOf(parse(read(path)))) {
      const target = targetOf(path, specifier)
      if (unordered.includes(target)) walk(target, [...trail, path])
    }
  }
  for (const path of unordered) walk(path, [])
  return problems
}

const isFolder = (place: Place | undefined): boolean => place?.room.modules[place.index]?.endsWith("/*") ?? false

const modules = files("ts").filter((path) => path.startsWith("src/"))
const missing = rooms.flatMap((room) => room.modules)
  .filter((module) => !module.endsWith("/*") && !modules.includes(`src/${module}.ts`))
  .map((module) => ({ path: "scripts/floors.ts", message: `names src/${module}.ts, which is not there` }))
report([...modules.flatMap(check), ...findCycles(modules), ...missing], `${modules.length} modules`)
