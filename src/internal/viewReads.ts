/**
 * Reading a view: which version, how a query is told to the store, and documents decoded. Documents of an older version
 * are shown as today's, so that nobody who reads notices a rebuild.
 */
import { Effect, Result } from "effect"
import { InputInvalid, refuseName } from "../Admission.ts"
import { defaultTenant, type PureCodec } from "../Event.ts"
import type { StoreUnavailable } from "../EventStore.ts"
import { DocumentUnreadable, FieldPending, type Hosted } from "../ProjectionHost.ts"
import type { FieldValue, StoredDocument, ViewDefinition, ViewQuery, ViewStore } from "../ViewStore.ts"
import { type Entry, type ReadFailure, untyped, type Views } from "./types.ts"
import * as Documents from "./viewDocuments.ts"

/** What reading has to know of a view. */
export interface Readable {
  readonly view: ViewDefinition
  readonly document: PureCodec
  /** The schemas of the indexed fields. */
  readonly fields: { readonly [field: string]: PureCodec }
  readonly was: ReadonlyArray<Documents.Earlier>
}

/** The schemas of the fields of a view that are indexed. */
export const schemasOf = (document: PureCodec, { indexes }: ViewDefinition): Readable["fields"] => {
  const { fields } = untyped<Pick<Readable, "fields">>(document)
  return Object.fromEntries(indexes.map(({ field }) => [field, fields[field]!]))
}

/** A view names versions before its own as earlier ones, each once. */
export const refuseEarlier = ({ view, was }: Readable): void => {
  const wrong = was.find(({ version }, index) =>
    !Number.isSafeInteger(version) || version < 1 || version >= view.version ||
    was.findIndex((other) => other.version === version) !== index
  )
  if (wrong === undefined) return
  const wanted = `1 to ${view.version - 1}, each once`
  throw new RangeError(`"${view.name}" names version ${wrong.version} as an earlier one: ${wanted}.`)
}

type Direction = "ascending" | "descending"

/** What a query says, of whatever view. */
interface Told {
  readonly where?: { readonly [field: string]: unknown } | undefined
  readonly tenant?: string | undefined
  readonly limit?: number | undefined
  readonly orderBy?: { readonly field: string; readonly direction?: Direction | undefined } | undefined
  readonly after?: string | { readonly key: string; readonly document?: unknown } | undefined
}

/** What the Layer of a view provides. */
export const make = (readable: Readable, store: ViewStore["Service"], hosted: Hosted): Views<unknown, never> => {
  const { view } = readable
  const decoderOf = Documents.decoders(Documents.make(readable.document), readable.was)
  const encode = Documents.fieldEncoder(readable.fields)
  const readVersion = Effect.map(
    Effect.andThen(hosted.prepared, hosted.live),
    (live) => Math.min(live?.version ?? view.version, view.version)
  )
  const withIndexes = indexed(readable, store)

  const decoded = (version: number) => {
    const decode = decoderOf(version)
    return ({ document, key, revision }: StoredDocument): Effect.Effect<Entry<unknown>, DocumentUnreadable> => {
      const read = decode(document)
      return Result.isSuccess(read)
        ? Effect.succeed({ key, revision, document: read.success })
        : Effect.fail(
          new DocumentUnreadable({
            view: view.name,
            version,
            key,
            problem: `${read.failure}. ${adviceOf(view, version)}`
          })
        )
    }
  }

  return {
    get: Effect.fnUntraced(function*(key, { tenant = defaultTenant } = {}) {
      yield* named(tenant, key)
      const version = yield* readVersion
      const [found] = yield* store.read({ name: view.name, version }, [{ tenant, key }])
      return found === undefined ? undefined : (yield* decoded(version)(found)).document
    }),
    list: Effect.fnUntraced(function*(told: Told = {}) {
      const query = yield* Effect.fromResult(queryOf(told, encode))
      const version = yield* readVersion
      const definition = yield* withIndexes(version, fieldsOf(query))
      return yield* Effect.forEach(yield* store.list(definition, query), decoded(version))
    }),
    count: Effect.fnUntraced(function*({ tenant, where }: Told = {}) {
      const query = yield* Effect.fromResult(queryOf({ tenant, where }, encode))
      const version = yield* readVersion
      return yield* store.count(yield* withIndexes(version, fieldsOf(query)), query)
    }),
    changes: hosted.changes
  }
}

const adviceOf = (view: ViewDefinition, version: number): string =>
  version === view.version
    ? Documents.mended(version)
    : `Its \`was\` says what documents of version ${version} are in version ${view.version}`

/** The definition of the version that is read, once what is asked for can be asked of it. */
const indexed = ({ view, was }: Readable, store: ViewStore["Service"]) => {
  const prepared = new Set([view.version])
  return Effect.fnUntraced(function*(
    version: number,
    fields: ReadonlyArray<string>
  ): Effect.fn.Return<ViewDefinition, FieldPending | StoreUnavailable> {
    const definition = { ...view, version }
    const then = was.find((earlier) => earlier.version === version)
    const field = then && fields.find((field) => !Documents.hasField(then.document, field))
    if (field !== undefined) {
      return yield* new FieldPending({ view: view.name, field, version: view.version, live: version })
    }
    if (fields.length > 0 && !prepared.has(version)) {
      yield* store.prepare(definition)
      prepared.add(version)
    }
    return definition
  })
}

const fieldsOf = ({ orderBy, where = [] }: ViewQuery): ReadonlyArray<string> => [
  ...where.map(({ field }) => field),
  ...orderBy === undefined ? [] : [orderBy.field]
]

type Encode = ReturnType<typeof Documents.fieldEncoder>

const queryOf = (told: Told, encode: Encode): Result.Result<ViewQuery, Exclude<ReadFailure, StoreUnavailable>> =>
  Result.gen(function*() {
    const { limit = 100, tenant = defaultTenant, where = {} } = told
    const refusal = refuseName("the tenant", tenant)
    if (refusal !== undefined) return yield* Result.fail(refusal)
    if (!Number.isSafeInteger(limit) || limit < 1 || limit > 1_000) {
      return yield* invalid("the limit", `a whole number from 1 to 1,000 is expected, not ${limit}`)
    }
    const equal: Array<{ readonly field: string; readonly equals: FieldValue }> = []
    for (const [field, value] of Object.entries(where)) {
      if (value === undefined) return yield* invalid(`where.${field}`, "it is undefined: leave it out, or give null")
      equal.push({ field, equals: yield* encoded(encode, field, value) })
    }
    return {
      tenant,
      limit,
      where: equal,
      orderBy: yield* orderOf(told, encode),
      after: yield* afterOf(told, encode)
    }
  })

/** Who is not checked by a compiler must not be answered in another order than he asked for. */
const orderOf = ({ orderBy }: Told, encode: Encode): Result.Result<ViewQuery["orderBy"], InputInvalid> => {
  if (orderBy === undefined) return Result.succeed(undefined)
  const { direction = "ascending", field } = orderBy
  if (!directions.includes(direction)) {
    return invalid("orderBy.direction", `"ascending" or "descending" is expected, not "${String(direction)}"`)
  }
  return Result.map(encoded(encode, field, null), () => ({ field, direction }))
}

const directions: ReadonlyArray<Direction> = ["ascending", "descending"]

const afterOf = ({ after, orderBy }: Told, encode: Encode): Result.Result<ViewQuery["after"], InputInvalid> => {
  if (after === undefined) return Result.succeed(undefined)
  const key = typeof after === "string" ? after : after.key
  if (orderBy === undefined) return Result.succeed({ key })
  const document = typeof after === "string" ? undefined : after.document
  if (typeof document !== "object" || document === null) {
    return invalid("after", `the document is wanted too, since the order is by "${orderBy.field}"`)
  }
  const value = untyped<{ readonly [field: string]: unknown }>(document)[orderBy.field]
  return Result.map(encoded(encode, orderBy.field, value), (value) => ({ key, value }))
}

const encoded = (encode: Encode, field: string, value: unknown): Result.Result<FieldValue, InputInvalid> =>
  Result.mapError(encode(field, value), (problem) => new InputInvalid({ what: `the field "${field}"`, problem }))

const invalid = (what: string, problem: string) => Result.fail(new InputInvalid({ what, problem }))

const named = (tenant: string, key: string): Effect.Effect<void, Exclude<ReadFailure, StoreUnavailable>> => {
  const refusal = refuseName("the tenant", tenant) ?? refuseName("the key", key)
  return refusal === undefined ? Effect.void : Effect.fail(refusal)
}
