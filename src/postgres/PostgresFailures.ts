/**
 * The border of the Postgres stores: what the driver and the server say, in plain words, without SQL, addresses or
 * passwords; and whether a statement that failed may have done something all the same.
 */
import { SqlError } from "effect/sql"
import { StoreUnavailable } from "../EventStore.ts"

/** A statement failed. `certain`: it did nothing. Otherwise it was sent, and nobody answered. */
export interface Failed {
  readonly _tag: "Failed"
  readonly certain: boolean
  readonly detail: string
}

/** What a pooler answers to what only a server can do, and a server behind it that has never seen a statement. */
const ofPooler =
  "is it behind a pooler, like PgBouncer in transaction mode? Then say so with ?pooler=transaction in the " +
  "URL, or with behindPooler"

const details: ReadonlyMap<string, string> = new Map([
  ["08P01", `the server does not take what it was sent: ${ofPooler}`],
  ["26000", `the server does not know a statement that was prepared: ${ofPooler}`],
  ["ECONNREFUSED", "no server answers at its address"],
  ["ECONNRESET", "the connection was lost"],
  ["EPIPE", "the connection was lost"],
  ["ENOTFOUND", "the name of its host is not known"],
  ["EAI_AGAIN", "the name of its host cannot be looked up"],
  ["ETIMEDOUT", "the server does not answer"],
  ["EHOSTUNREACH", "the server cannot be reached"],
  ["ERR_INVALID_URL", "its URL is not one"],
  ["22003", "the server does not take a number"],
  ["22P02", "the server does not take a value"],
  ["22P05", "the server does not take a text"],
  ["23505", "somebody else has written to its tables"],
  ["25006", "the server is read-only: a standby, perhaps"],
  ["25P02", "a statement of the same transaction failed before"],
  ["25P03", "the transaction was left waiting for too long"],
  ["28000", "the server does not admit this user: see to the user in the URL, or to the server's pg_hba.conf"],
  ["28P01", "the server does not take this user's password: mend the one in the URL"],
  ["3D000", "the database does not exist: make it, or mend its name in the URL"],
  ["3F000", "the schema does not exist: migrate first"],
  ["40001", "another transaction was in the way"],
  ["40P01", "two transactions waited for each other"],
  ["42501", "the user lacks a privilege: have the owner of the schema or of the database grant it, or run `migrate`"],
  ["42883", "a function of the schema is missing: migrate first"],
  ["42P01", "a table of the schema is missing: migrate first"],
  ["53100", "the server's disk is full"],
  ["53200", "the server is out of memory"],
  ["53300", "the server has no connection left"],
  ["55P03", "other writers held the log for longer than 5 seconds"],
  ["57014", "the server took too long"],
  ["57P01", "the server is shutting down"],
  ["57P02", "the server has crashed"],
  ["57P03", "the server is starting up or shutting down"],
  ["VRV02", "SET CONSTRAINTS must leave appends to the commit"]
])

/** To `migrate` it is no answer that one should run `migrate`. */
const mayNotMigrate =
  "the user lacks a privilege: have the owner of the schema or of the database grant it, or do this " +
  "as that owner"

/** Why there is no connection, where the driver says so in words of its own. */
const refusals: ReadonlyMap<string, string> = new Map([
  ["PgConnection: No password configured", "the server wants a password, and the URL has none: user:password@host"],
  [
    "PgConnection: Server refused TLS",
    "the connection failed: the server has no TLS. Turn it on there, or leave sslmode (and ssl) out"
  ],
  ["PgConnection: No username configured", "its URL names no user: user:password@host"]
])

/** What Node finds wrong with a certificate. */
const isOfCertificate = (code: string): boolean => /CERT|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT)/.test(code)

/** The server says so in these words where it speaks English; else it is a user like any other. */
const wantsTls = (cause: unknown): boolean => cause instanceof Error && /no encryption|SSL off/.test(cause.message)

/** What failed, in plain words. */
const detailOf = ({ reason }: SqlError.SqlError): string => {
  if (reason.operation === lost) return "the connection was lost during the commit: whether it was kept is not known"
  if (reason.message === silent) return "the server does not answer"
  if (reason.message === replaced) {
    return "the log is not the one that it was: it was restored, or a standby has taken over. What was read before is read again"
  }
  if (reason.message === undone) return "a statement of the transaction had failed, so nothing of it was kept"
  const refusal = refusals.get(reason.message)
  if (refusal !== undefined) return refusal
  const { code, isServer } = codeOf(reason.cause)
  if (code === "28000" && wantsTls(reason.cause)) {
    return "the server does not admit this user without TLS: add sslmode=require to the URL"
  }
  if (code !== undefined) return details.get(code) ?? ofCode(code, isServer)
  return reason._tag === "ConnectionError" ? "the connection failed" : "the server's answer was not understood"
}

const ofCode = (code: string, isServer: boolean): string => {
  if (isServer) return `the server refused with code ${code}`
  return isOfCertificate(code)
    ? `the server's certificate is not trusted (${code}): give the one that signed it as ssl.ca, or name its file in ` +
      "NODE_EXTRA_CA_CERTS"
    : `the network failed with ${code}`
}

/** The code of an append that is refused when its transaction is to be committed. */
export const refusedCode = "VRV01"

/** The code of an append that would be decided before its transaction is to be committed. */
export const tooEarlyCode = "VRV02"

const codeOf = (cause: unknown) => {
  const code = typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : undefined
  return { code, isServer: typeof cause === "object" && cause !== null && "severity" in cause }
}

/** An error that a statement ended with has undone it. One that ended the session may have come after the commit. */
export const isCertain = ({ reason: { cause, message, operation } }: SqlError.SqlError): boolean => {
  if (operation === "connect" || message === encodingFailed || message === replaced) return true
  return typeof cause === "object" && cause !== null && "severityUnlocalized" in cause
    && cause.severityUnlocalized === "ERROR"
}

const encodingFailed = "PgConnection: Failed to encode query"

const lost = "commit whose outcome is not known"
const silent = "the server is silent"
const undone = "the commit was a rollback"
const replaced = "the log was replaced"

/** Nobody answered a commit: it was carried out, or it was not. */
export const commitLost = (error: SqlError.SqlError): SqlError.SqlError =>
  new SqlError.SqlError({
    reason: new SqlError.ConnectionError({ cause: error, message: error.message, operation: lost })
  })

/** Nobody answered a statement for so long that nobody will. */
export const serverSilent = new SqlError.SqlError({
  reason: new SqlError.ConnectionError({ cause: undefined, message: silent, operation: "query" })
})

/** What relies on the log as it was is not asked of another one. */
export const logReplaced = new SqlError.SqlError({
  reason: new SqlError.UnknownError({ cause: undefined, message: replaced, operation: "query" })
})

/** The server did not commit, because a statement before had failed. */
export const commitUndone = new SqlError.SqlError({
  reason: new SqlError.UnknownError({ cause: undefined, message: undone, operation: "commit" })
})

/** Whether a commit may have been carried out although it failed. */
export const isLost = ({ reason: { operation } }: SqlError.SqlError): boolean => operation === lost

/** What `append_staged_v1` says of an append that it refused, which undoes the transaction; see there. */
export const refusedAtCommit = ({ reason: { cause } }: SqlError.SqlError): string | undefined =>
  typeof cause === "object" && cause !== null && "code" in cause && cause.code === refusedCode && "detail" in cause
    ? String(cause.detail)
    : undefined

/** What the work of a transaction failed with, which may be an `SqlError` too. */
export class OwnFailure<E> {
  readonly error: E
  constructor(error: E) {
    this.error = error
  }
}

/** A failed statement, and whether it did nothing. */
export const toFailed = (error: SqlError.SqlError): Failed => ({
  _tag: "Failed",
  certain: isCertain(error),
  detail: detailOf(error)
})

/** What was asked of the store: by its name, or as the statement that asks it says; see `PostgresStatements`. */
interface Asked {
  readonly name: string
  readonly asked?: { readonly operation: string; readonly absent: string } | undefined
}

/** The store's own word for what failed. */
export const toUnavailable = ({ asked, name }: Asked) => (error: SqlError.SqlError): StoreUnavailable => {
  const { code } = codeOf(error.reason.cause)
  const lasting = isLasting(code) || refusals.has(error.reason.message)
  const operation = asked?.operation ?? name
  const detail = code === "42P01" && asked !== undefined
    ? asked.absent
    : code === "42501" && operation === "migrate"
    ? mayNotMigrate
    : detailOf(error)
  return new StoreUnavailable({ operation, detail, ...(lasting && { lasting: true }) })
}

/** Somebody has to do something before it is of use to ask again. */
const isLasting = (code: string | undefined): boolean =>
  code !== undefined && (lastingCodes.has(code) || isOfCertificate(code))

const lastingCodes = new Set([
  "ERR_INVALID_URL",
  "22003",
  "22P02",
  "22P05",
  "28000",
  "28P01",
  "3D000",
  "3F000",
  "42501",
  "42883",
  "42P01",
  "VRV02"
])
