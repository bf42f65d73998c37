/**
 * What people, programs and accidents send: payloads, names and lines of text that a store, a codec or a runtime may
 * choke on. Each has a name, so that a failure says which one it was.
 */

/** A value, and whether the log has to admit it. */
export interface Hostile<A> {
  readonly name: string
  readonly value: A
  readonly isValid: boolean
}

const bad = <A>(name: string, value: A): Hostile<A> => ({ name, value, isValid: false })
const good = <A>(name: string, value: A): Hostile<A> => ({ name, value, isValid: true })

const long = (characters: number): string => "x".repeat(characters)

/** JSON that is nested this deep; as text, since building it by hand would recurse as well. */
const deepText = (depth: number): string => `${"[".repeat(depth)}${"]".repeat(depth)}`

const circular = (): object => {
  const self: Record<string, unknown> = { cents: 1 }
  self["note"] = self
  return self
}

const throwing = (): object =>
  Object.defineProperty({ cents: 1 }, "note", {
    enumerable: true,
    get: () => {
      throw new Error("trap")
    }
  })

const proxied = (): object =>
  new Proxy({}, {
    get: () => {
      throw new Error("trap")
    },
    has: () => true,
    ownKeys: () => {
      throw new Error("trap")
    }
  })

/** Payloads for a command whose fields are `cents`, a positive integer, and `note`, an optional string. */
export const payloads: ReadonlyArray<Hostile<unknown>> = [
  bad("null", null),
  bad("a number", 5),
  bad("a string", "cents"),
  bad("a boolean", true),
  bad("a symbol", Symbol("cents")),
  bad("a bigint", 1n),
  bad("a function", () => ({ cents: 1 })),
  bad("an array", [1]),
  bad("an empty array", []),
  bad("nothing in it", {}),
  bad("a date", new Date(0)),
  bad("a map", new Map([["cents", 1]])),
  bad("a regular expression", /cents/),
  bad("a promise", Promise.resolve({ cents: 1 })),
  bad("a typed array", new Uint8Array(4)),
  bad("a proxy that throws", proxied()),
  bad("a getter that throws", throwing()),
  bad("a circle", circular()),
  bad("cents: null", { cents: null }),
  bad("cents: undefined", { cents: undefined }),
  bad("cents: a numeral", { cents: "1" }),
  bad("cents: NaN", { cents: NaN }),
  bad("cents: Infinity", { cents: Infinity }),
  bad("cents: -Infinity", { cents: -Infinity }),
  bad("cents: 1e400 as JSON reads it", JSON.parse("{\"cents\":1e400}")),
  bad("cents: zero", { cents: 0 }),
  bad("cents: minus zero", { cents: -0 }),
  bad("cents: negative", { cents: -1 }),
  bad("cents: a fraction", { cents: 0.1 }),
  bad("cents: 2^53", { cents: 2 ** 53 }),
  bad("cents: 2^53 + 2", { cents: 2 ** 53 + 2 }),
  bad("cents: a bigint", { cents: 1n }),
  bad("cents: an object", { cents: { valueOf: () => 1 } }),
  bad("cents: an array of one", { cents: [1] }),
  bad("cents: a boxed number", { cents: Object(1) }),
  bad("note: a number", { cents: 1, note: 1 }),
  bad("note: null", { cents: 1, note: null }),
  bad("note: a boxed string", { cents: 1, note: Object("x") }),
  bad("note: 100,000 deep", { cents: 1, note: JSON.parse(deepText(100_000)) }),
  bad("note: NUL", { cents: 1, note: "a\0b" }),
  bad("note: NUL alone", { cents: 1, note: "\0" }),
  bad("note: a lone high surrogate", { cents: 1, note: "\ud800" }),
  bad("note: a lone low surrogate", { cents: 1, note: "x\udc00y" }),
  bad("note: surrogates in the wrong order", { cents: 1, note: "\udc00\ud800" }),
  bad("note: larger than an event", { cents: 1, note: long(256 * 1024) }),
  bad("note: 8 MiB", { cents: 1, note: long(8 * 1024 * 1024) }),
  bad("note: too large once it is escaped", { cents: 1, note: "\u0001".repeat(60_000) }),
  bad("note: too large in UTF-8", { cents: 1, note: "€".repeat(100_000) }),
  good("cents: 2^53 - 1", { cents: 2 ** 53 - 1 }),
  good("note: empty", { cents: 1, note: "" }),
  good("note: an escaped NUL, spelled out", { cents: 1, note: "\\u0000" }),
  good("note: a backslash before an escape", { cents: 1, note: "\\\\u0000 \\ud800" }),
  good("note: SQL", { cents: 1, note: "'); DROP TABLE varve_events; --" }),
  good("note: a template", { cents: 1, note: "${process.env.HOME} {{7*7}} %s %n" }),
  good("note: markup", { cents: 1, note: "<script>alert(1)</script>" }),
  good("note: control characters", { cents: 1, note: "\u0001\u001b[2J\r\n\t\u007f" }),
  good("note: every plane", { cents: 1, note: "é ß 漢 🦕 𐍈 \u202e\u200d\ufeff" }),
  good("note: line separators", { cents: 1, note: "\u2028\u2029" }),
  good("note: __proto__", { cents: 1, note: "__proto__" }),
  good("note: a key as text", { cents: 1, note: "\"__proto__\":" }),
  good("an excess field", { cents: 1, admin: true }),
  good("an own __proto__ beside the fields", JSON.parse("{\"cents\":1,\"__proto__\":{\"polluted\":true}}")),
  good("an own constructor", JSON.parse("{\"cents\":1,\"constructor\":{\"prototype\":{\"polluted\":true}}}")),
  good("a null prototype", Object.assign(Object.create(null), { cents: 1 })),
  good("a repeated key", JSON.parse("{\"cents\":9,\"cents\":1}"))
]

/** Ids, and likewise tenants and command ids. */
export const names: ReadonlyArray<Hostile<unknown>> = [
  bad("null", null),
  bad("a number", 0),
  bad("a boolean", false),
  bad("an object", {}),
  bad("an array", ["a"]),
  bad("a symbol", Symbol("a")),
  bad("an object with toString", { toString: () => "a" }),
  bad("empty", ""),
  bad("NUL", "\0"),
  bad("NUL inside", "a\0b"),
  bad("a lone high surrogate", "a\ud83d"),
  bad("a lone low surrogate", "\ude00a"),
  bad("256 characters", long(256)),
  bad("256 characters beyond the first plane", "🦕".repeat(256)),
  bad("10 MiB", long(10 * 1024 * 1024)),
  good("255 characters", long(255)),
  good("255 characters beyond the first plane", "🦕".repeat(255)),
  good("a blank", " "),
  good("a newline", "a\nb"),
  good("a tab and an escape", "\t\u001b[31m"),
  good("a quote", "o'clock"),
  good("SQL", "'; DROP TABLE varve_events; --"),
  good("SQL wildcards", "%_"),
  good("a path upwards", "../../etc/passwd"),
  good("a Windows device", "CON"),
  good("a URL", "http://127.0.0.1/?a=b&c=d#e"),
  good("an escaped NUL, spelled out", "%00\\0\\u0000"),
  good("JSON", "{\"id\":1}"),
  good("__proto__", "__proto__"),
  good("constructor", "constructor"),
  good("toString", "toString"),
  good("hasOwnProperty", "hasOwnProperty"),
  good("the word null", "null"),
  good("the word undefined", "undefined"),
  good("a numeral", "007"),
  good("composed", "caf\u00e9"),
  good("decomposed", "cafe\u0301"),
  good("upper case", "ORDER"),
  good("lower case", "order"),
  good("from right to left", "\u202etxt.exe"),
  good("without width", "a\u200bb"),
  good("a byte order mark", "\ufeffa"),
  good("the outbox", "outbox"),
  good("separators", "a/b:c|d\u001fe")
]

/** Metadata: string values under names. */
export const metadata: ReadonlyArray<Hostile<unknown>> = [
  bad("a number as value", { a: 1 }),
  bad("null as value", { a: null }),
  bad("an object as value", { a: {} }),
  bad("an empty key", { "": "a" }),
  bad("a key of 256 characters", { [long(256)]: "a" }),
  bad("NUL in a key", { "a\0": "a" }),
  bad("NUL in a value", { a: "\0" }),
  bad("a lone surrogate in a value", { a: "\ud800" }),
  bad("an own __proto__", JSON.parse("{\"__proto__\":\"a\"}")),
  bad("17 KiB", { a: long(17 * 1024) }),
  good("an inherited toJSON", Object.create({ toJSON: () => ({ a: 1 }) }, { a: { value: "x", enumerable: true } })),
  good("constructor as key", { constructor: "a" }),
  good("a hundred keys", Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`key-${index}`, "x"]))),
  good("SQL as key", { "'; DROP TABLE x; --": "a" })
]

/** Lines of a command file, for an app whose lines are `{ word: string }`. */
export const lines: ReadonlyArray<Hostile<Uint8Array>> = [
  bad("no JSON", "word"),
  bad("half an object", "{\"word\":"),
  bad("a trailing comma", "{\"word\":\"a\",}"),
  bad("a comment", "{\"word\":\"a\"} // why"),
  bad("two objects", "{\"word\":\"a\"}{\"word\":\"b\"}"),
  bad("single quotes", "{'word':'a'}"),
  bad("NaN", "{\"word\":NaN}"),
  bad("null", "null"),
  bad("a number", "1"),
  bad("1e400", "1e400"),
  bad("an array", "[{\"word\":\"a\"}]"),
  bad("an empty object", "{}"),
  bad("a word that is a number", "{\"word\":1}"),
  bad("a word that is null", "{\"word\":null}"),
  bad("an empty word", "{\"word\":\"\"}"),
  bad("a word of 300 characters", `{"word":"${long(300)}"}`),
  bad("NUL in the word", "{\"word\":\"a\\u0000\"}"),
  bad("a lone surrogate in the word", "{\"word\":\"\\ud800\"}"),
  bad("a raw NUL", "{\"word\":\"a\0\"}"),
  bad("a raw control character", "{\"word\":\"a\u0001\"}"),
  bad("100,000 deep", deepText(100_000)),
  bad("a word 100,000 deep", `{"word":${deepText(100_000)}}`),
  bad("5 MiB", `{"word":"${long(5 * 1024 * 1024)}"}`),
  good("a byte order mark at the head", "\ufeff{\"word\":\"a\"}"),
  good("carriage return", "{\"word\":\"a\"}\r"),
  good("blanks around", "  {\"word\" : \"a\"}\t"),
  good("an excess field", "{\"word\":\"a\",\"more\":[1,2]}"),
  good("an own __proto__", "{\"word\":\"a\",\"__proto__\":{\"polluted\":true}}"),
  good("a repeated key", "{\"word\":1,\"word\":\"a\"}"),
  good("SQL", "{\"word\":\"'; DROP TABLE varve_events; --\"}"),
  good("every plane", "{\"word\":\"漢🦕\"}"),
  good("escapes", "{\"word\":\"\\ud83e\\udd95 \\n \\\\u0000\"}")
].map(({ isValid, name, value }) => ({ isValid, name, value: new TextEncoder().encode(value) })).concat([
  bad("a byte that is no UTF-8", Uint8Array.from([...new TextEncoder().encode("{\"word\":\""), 0xff, 0x22, 0x7d])),
  bad("an overlong slash", Uint8Array.from([...new TextEncoder().encode("{\"word\":\""), 0xc0, 0xaf, 0x22, 0x7d])),
  bad(
    "a surrogate in UTF-8",
    Uint8Array.from([...new TextEncoder().encode("{\"word\":\""), 0xed, 0xa0, 0x80, 0x22, 0x7d])
  ),
  bad("a gzip header", Uint8Array.from([0x1f, 0x8b, 0x08, 0x00]))
])

/** A column of a stored event that somebody has changed by hand. */
export interface Row {
  readonly type?: string
  readonly schema_version?: number | bigint
  readonly data?: string
  readonly metadata?: string
  readonly event_id?: string
  readonly recorded_at?: number | bigint
  readonly version?: number | bigint
}

/** Rows for an event `MoneyDeposited { cents }`. One that is valid may be read; none may do harm. */
export const rows: ReadonlyArray<Hostile<Row>> = [
  bad("no data", { data: "" }),
  bad("no JSON", { data: "cents" }),
  bad("half an object", { data: "{\"cents\":" }),
  bad("data: null", { data: "null" }),
  bad("data: a number", { data: "1" }),
  bad("data: a string", { data: "\"cents\"" }),
  bad("data: an array", { data: "[1]" }),
  bad("data: an empty object", { data: "{}" }),
  bad("cents: a numeral", { data: "{\"cents\":\"1\"}" }),
  bad("cents: null", { data: "{\"cents\":null}" }),
  bad("cents: negative", { data: "{\"cents\":-1}" }),
  bad("cents: a fraction", { data: "{\"cents\":0.5}" }),
  bad("cents: 2^53 + 1", { data: "{\"cents\":9007199254740993}" }),
  bad("cents: 1e400", { data: "{\"cents\":1e400}" }),
  bad("cents: 100,000 deep", { data: `{"cents":${deepText(100_000)}}` }),
  bad("data: 100,000 deep", { data: deepText(100_000) }),
  bad("cents under another name", { data: "{\"Cents\":1}" }),
  bad("an unknown type", { type: "MoneyBurnt" }),
  bad("an empty type", { type: "" }),
  bad("a type from the prototype", { type: "constructor" }),
  bad("the type __proto__", { type: "__proto__" }),
  bad("a type with a blank", { type: "MoneyDeposited " }),
  bad("a newer schema version", { schema_version: 2 }),
  bad("a much newer schema version", { schema_version: 2n ** 53n - 1n }),
  bad("a schema version beyond 2^53", { schema_version: 2n ** 53n + 1n }),
  bad("a version beyond its place", { version: 7 }),
  bad("a version beyond 2^53", { version: 2n ** 53n + 1n }),
  bad("a time beyond 2^53", { recorded_at: 2n ** 62n }),
  good("an excess field", { data: "{\"cents\":1,\"more\":true}" }),
  good("an own __proto__", { data: "{\"cents\":1,\"__proto__\":{\"polluted\":true}}" }),
  good("an own _tag", { data: "{\"cents\":1,\"_tag\":\"MoneyWithdrawn\"}" }),
  good("a repeated key", { data: "{\"cents\":9,\"cents\":1}" }),
  good("blanks", { data: " {\n\"cents\" : 1 } " }),
  good("a negative time", { recorded_at: -1 }),
  good("metadata that is no JSON", { metadata: "user" }),
  good("metadata that is a number", { metadata: "1" }),
  good("metadata with a number", { metadata: "{\"user\":1}" }),
  good("metadata with __proto__", { metadata: "{\"__proto__\":{\"polluted\":true}}" }),
  good("an id that is none", { event_id: "event" })
]
