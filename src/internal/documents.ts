/**
 * What every store does with views before it looks at its data: which names and documents it refuses, and what a query
 * means. Kept in one place, so that no adapter is stricter or laxer.
 *
 * Names of views and fields come from code, so what is wrong with them is thrown and becomes a defect. Keys and
 * documents come from data, so what is wrong with them is a typed refusal.
 */
import { InputInvalid, LimitExceeded, limits, type Refusal, refuseName } from "../Admission.ts"
import type {
  DocumentChange,
  FieldType,
  FieldValue,
  ViewDefinition,
  ViewId,
  ViewIndex,
  ViewQuery
} from "../ViewStore.ts"
import { forbiddenInJson, isDeeperThan, isPlainObject } from "./json.ts"
import { pageLimit } from "./pages.ts"

const viewName = /^[a-z][a-z0-9-]{0,39}$/
const fieldName = /^[A-Za-z0-9_]{1,40}$/
const versionMax = 999_999

/** Throws unless a view may have this name. */
export const assertViewName = (name: string): void => {
  const refusal = refuseViewName(name)
  if (refusal !== undefined) throw refusal
}

/** Throws unless a view may have this name and version. */
export const assertView = (view: ViewId): void => {
  const refusal = refuseView(view)
  if (refusal !== undefined) throw refusal
}

/** Why a view cannot have this name and version, if it cannot. */
export const refuseView = ({ name, version }: ViewId): InputInvalid | undefined =>
  refuseViewName(name) ?? refuseVersion(version)

const refuseViewName = (name: string): InputInvalid | undefined => {
  if (viewName.test(name)) return undefined
  const problem = "1 to 40 lower-case letters, digits and hyphens are expected, a letter first"
  return new InputInvalid({ what: `the view's name ${JSON.stringify(name)}`, problem })
}

const refuseVersion = (version: number): InputInvalid | undefined => {
  if (Number.isInteger(version) && version >= 1 && version <= versionMax) return undefined
  return new InputInvalid({ what: "the view's version", problem: `it is ${version}; it goes from 1 to ${versionMax}` })
}

/** Throws unless a view may be defined like this. */
export const assertDefinition = (view: ViewDefinition): void => {
  assertView(view)
  const fields = new Set<string>()
  for (const { field, type } of view.indexes) {
    const what = `the index of ${JSON.stringify(field)}`
    if (!fieldName.test(field) || field === "__proto__") {
      throw new InputInvalid({ what, problem: "a field is 1 to 40 of A-Z, a-z, 0-9 and _" })
    }
    if (!types.includes(type)) throw new InputInvalid({ what, problem: `its type is one of ${types.join(", ")}` })
    if (fields.has(field)) throw new InputInvalid({ what, problem: "it is there twice" })
    fields.add(field)
  }
}

const types: ReadonlyArray<FieldType> = ["text", "number", "boolean"]

/** Why these documents cannot be written, if they cannot. */
export const refuseChanges = (changes: ReadonlyArray<DocumentChange>): Refusal | undefined => {
  const taken = new Set<string>()
  for (const { document, key, tenant } of changes) {
    const refusal = refuseName("the tenant", tenant) ?? refuseName("the key", key) ??
      (document === undefined ? undefined : refuseDocument(document))
    if (refusal !== undefined) return refusal
    // No name that is admitted holds a NUL, so this is one text for one document.
    const place = `${tenant}\0${key}`
    if (taken.has(place)) return new InputInvalid({ what: "the key", problem: "it is written twice at once" })
    taken.add(place)
  }
  return undefined
}

const what = "the document"

const refuseDocument = (text: string): Refusal | undefined => {
  const max = limits.documentBytesMax
  const bytes = text.length * 3 <= max ? 0 : Buffer.byteLength(text)
  if (bytes > max) return new LimitExceeded({ what, actual: bytes, max, unit: "bytes" })
  const document = fieldsOf(text)
  if (document === undefined) return new InputInvalid({ what, problem: "it is no JSON object" })
  const forbidden = text.isWellFormed() ? forbiddenInJson(text) : "a lone surrogate"
  if (forbidden !== undefined) return new InputInvalid({ what, problem: `it contains ${forbidden}` })
  // Each level takes two characters at least, so that short documents need no look.
  if (text.length > 2 * limits.payloadLevelsMax && isDeeperThan(limits.payloadLevelsMax, document)) {
    return new InputInvalid({ what, problem: `it is nested deeper than ${limits.payloadLevelsMax} levels` })
  }
  return undefined
}

/** The fields of a document; undefined if it is no JSON object. */
export const fieldsOf = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const document: unknown = JSON.parse(text)
    return isPlainObject(document) ? document : undefined
  } catch {
    return undefined
  }
}

/** An indexed field and what it has to be. */
export interface Condition extends ViewIndex {
  readonly equals: FieldValue
}

/** A query in which everything has been looked up, and everything can be compared. */
export interface PlannedQuery {
  readonly tenant: string
  readonly where: ReadonlyArray<Condition>
  readonly orderBy: ViewIndex | undefined
  readonly descending: boolean
  readonly after: { readonly key: string; readonly value: FieldValue } | undefined
  readonly limit: number
}

/** What a query means; undefined if nothing can match it. Throws if it names a field that has no index. */
export const planned = (view: ViewDefinition, query: ViewQuery): PlannedQuery | undefined => {
  const where = (query.where ?? []).map(({ equals, field }): Condition => ({ ...indexOf(view, field), equals }))
  const orderBy = query.orderBy && indexOf(view, query.orderBy.field)
  if (!isKeepable(query.tenant) || !where.every(isPossible)) return undefined
  const { after } = query
  return {
    tenant: query.tenant,
    where,
    orderBy,
    descending: query.orderBy?.direction === "descending",
    after: after && { key: comparableText(after.key), value: orderBy ? comparable(orderBy.type, after.value) : null },
    limit: pageLimit(query.limit)
  }
}

const indexOf = (view: ViewDefinition, field: string): ViewIndex => {
  const index = view.indexes.find((index) => index.field === field)
  if (index !== undefined) return index
  throw new InputInvalid({ what: "the query", problem: `${view.name} has no index of ${JSON.stringify(field)}` })
}

/** Whether any document could have this there. */
const isPossible = ({ equals, type }: Condition): boolean =>
  equals === null || comparable(type, equals) !== null && (typeof equals !== "string" || isKeepable(equals))

const isKeepable = (text: string): boolean => text.isWellFormed() && !text.includes("\0")

/** What a field counts as: a value of its type, or null. */
export const comparable = (type: FieldType, value: unknown): FieldValue => {
  if (type === "text" && typeof value === "string") return comparableText(value)
  if (type === "number" && typeof value === "number" && Number.isFinite(value)) return value
  if (type === "boolean" && typeof value === "boolean") return value
  return null
}

/**
 * No text in a store holds a NUL, so what comes after `a\0b` is what comes after `a`; and no store can be asked for a
 * lone surrogate.
 */
const comparableText = (text: string): string => {
  const end = text.indexOf("\0")
  return (end < 0 ? text : text.slice(0, end)).toWellFormed()
}

/** What there is to say of a view whose documents are written by appends. */
export const isInline = ({ name, version }: ViewId): string =>
  `version ${version} of the view ${name} is inline: its documents are written by appends until it is left`

/** What there is to say of a view that was not prepared. */
export const noRoom = ({ name, version }: ViewId): string =>
  `version ${version} of the view ${name} was never prepared here, or was dropped`
