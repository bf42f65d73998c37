/**
 * The URL of a database, as people mistype it. What is said of it never repeats a part of it, since any of them may be the
 * password.
 */

/** What is wrong with it, with what to do; undefined if the driver can read it. */
export const problemOf = (text: string): string | undefined => {
  const url = URL.parse(text)
  if (url === null) return `its URL is not one, like ${example}. ${escaping}`
  if (!["postgres:", "postgresql:"].includes(url.protocol)) {
    return `the connection failed: its URL is none of PostgreSQL, like ${example}`
  }
  if (isCutShort(url)) return `its URL ends within the password. ${escaping}`
  if (!isDecodable(url)) return `its URL has a % that stands for nothing. ${escaping}`
  const mode = url.searchParams.get("sslmode")
  if (mode !== null && !modes.includes(mode)) return `the sslmode of its URL must be one of ${modes.join(", ")}`
  return undefined
}

const example = "postgres://user:password@host/database"

const escaping = "In a password, write @ : / ? # % as encodeURIComponent does: %40 %3A %2F %3F %23 %25"

const modes = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]

/** A / ? or # in a password is taken for the end of the host, and the real host for what comes behind it. */
const isCutShort = ({ hash, pathname, search, username }: URL): boolean =>
  username === "" && `${pathname}${search}${hash}`.includes("@")

const isDecodable = ({ hostname, password, pathname, username }: URL): boolean => {
  try {
    for (const part of [username, password, hostname, pathname]) decodeURIComponent(part)
    return true
  } catch {
    return false
  }
}
