/** The checker of histories finds what it is there to find. */
import { assert, it } from "@effect/vitest"
import { accountModel } from "../fixtures/AccountModel.ts"
import { type Call, check, type Line, type Outcome, parse, print } from "../fixtures/History.ts"

const invoked = (at: number, op: string, tag: string, cents?: number, more: Partial<Call> = {}): Line => ({
  _tag: "Invoked",
  at,
  op,
  stream: "a",
  call: { tag, payload: cents === undefined ? {} : { cents }, ...more }
})
const returned = (at: number, op: string, outcome: Outcome): Line => ({ _tag: "Returned", at, op, outcome })
const replied = (reply: unknown, version?: number): Outcome => ({
  _tag: "Replied",
  reply,
  ...version !== undefined && { version }
})
const balance = (balanceCents: number, version?: number) => replied({ balanceCents }, version)
const rejected = (balanceCents: number, requestedCents: number): Outcome => ({
  _tag: "Rejected",
  error: { _tag: "InsufficientFunds", balanceCents, requestedCents }
})
const stored = (version: number, op: string, cents: number): Line => ({
  _tag: "Stored",
  stream: "a",
  version,
  op,
  type: cents > 0 ? "MoneyDeposited" : "MoneyWithdrawn",
  data: { cents: Math.abs(cents) }
})

/** Two deposits one after the other, a withdrawal beside the second, a read and a "no" after all of them. */
const right: ReadonlyArray<Line> = [
  invoked(1, "d1", "deposit", 5),
  returned(2, "d1", balance(5, 1)),
  invoked(3, "d2", "deposit", 7, { commandId: "c" }),
  invoked(4, "w1", "withdraw", 4),
  invoked(5, "r1", "state"),
  returned(6, "r1", balance(5)),
  returned(7, "d2", balance(8, 3)),
  returned(8, "w1", replied(1, 2)),
  invoked(9, "r2", "state"),
  returned(10, "r2", balance(8)),
  invoked(11, "w2", "withdraw", 50),
  returned(12, "w2", rejected(8, 50)),
  invoked(13, "t1", "touch"),
  returned(14, "t1", replied(null, 3)),
  invoked(15, "d3", "deposit", 7, { commandId: "c" }),
  returned(16, "d3", balance(8, 3)),
  stored(1, "d1", 5),
  stored(2, "w1", -4),
  stored(3, "d2", 7)
]

/** The history with the lines of some operations replaced, or taken out. */
const changed = (...changes: ReadonlyArray<readonly [Line, Line | undefined]>) =>
  right.flatMap((line) => {
    const change = changes.find(([old]) => JSON.stringify(old) === JSON.stringify(line))
    return change === undefined ? [line] : change[1] === undefined ? [] : [change[1]]
  })

it("finds nothing wrong with a right history, also through a file", () => {
  assert.deepStrictEqual(check(right, accountModel), [])
  assert.deepStrictEqual(check(parse(print(right)), accountModel), [])
  assert.deepStrictEqual(parse(print(right)), right)
})

it("finds nothing wrong where nobody knows: what is unknown may be written, or not", () => {
  const unknown = returned(7, "d2", { _tag: "Unknown" })
  assert.deepStrictEqual(check(changed([returned(7, "d2", balance(8, 3)), unknown]), accountModel), [])
  assert.deepStrictEqual(check(changed([returned(7, "d2", balance(8, 3)), undefined]), accountModel), [])
  const nothing = [invoked(1, "d1", "deposit", 5), invoked(2, "r1", "state"), returned(3, "r1", balance(0))]
  assert.deepStrictEqual(check(nothing, accountModel), [])
})

it("keeps streams apart", () => {
  const beside = right.map((line) =>
    line._tag === "Returned" ? { ...line, op: `b${line.op}` } : { ...line, op: `b${line.op}`, stream: "b" }
  )
  assert.deepStrictEqual(check([...right, ...beside], accountModel), [])
})

const errors: ReadonlyArray<readonly [string, ReadonlyArray<Line>, RegExp]> = [
  ["a version that is missing", changed([stored(2, "w1", -4), undefined]), /version 3 stands in the place of 2/],
  ["a version that comes twice", [...right, stored(3, "d2", 7)], /version 3 stands in the place of 4/],
  ["an answered command that is not there", changed([stored(3, "d2", 7), undefined]), /true at no version/],
  ["a command that was written twice", [...right, stored(4, "x", 1), stored(5, "d2", 7)], /took effect before/],
  ["a repeated command that was written again", [...right, stored(4, "d3", 7)], /took effect before, at version 3/],
  ["an event of nobody", [...right, stored(4, "x", 1)], /decided by nobody/],
  [
    "an event that its command did not decide",
    changed([stored(2, "w1", -4), stored(2, "w1", -3)]),
    /w1 .* not what its command/
  ],
  [
    "a decision on a state that was not there",
    changed([stored(1, "d1", 5), stored(1, "d1", 3)]),
    /d1 .* not what its command/
  ],
  ["a withdrawal that the balance does not allow", [
    invoked(1, "w1", "withdraw", 4),
    stored(1, "w1", -4)
  ], /not what its command/],
  ["half of a command's events", [invoked(1, "t1", "touch"), stored(1, "t1", 4)], /not what its command/],
  [
    "a reply that is not the decider's",
    changed([returned(7, "d2", balance(8, 3)), returned(7, "d2", balance(12, 3))]),
    /d[23], d[23]: /
  ],
  [
    "a reply with another version",
    changed([returned(8, "w1", replied(1, 2)), returned(8, "w1", replied(1, 3))]),
    /not that of version 2/
  ],
  [
    "another answer to a repeated command",
    changed([returned(16, "d3", balance(8, 3)), returned(16, "d3", balance(15, 4))]),
    /different answers/
  ],
  [
    "a write of whom was told that nothing was written",
    changed([
      returned(8, "w1", replied(1, 2)),
      returned(8, "w1", { _tag: "Failed", reason: "CommandTimeout" })
    ]),
    /told that nothing was/
  ],
  [
    "a read that does not see what was answered before",
    changed([returned(10, "r2", balance(8)), returned(10, "r2", balance(1))]),
    /r2: .* from 3 to 3/
  ],
  [
    "a read of a state that never was",
    changed([returned(10, "r2", balance(8)), returned(10, "r2", balance(12))]),
    /r2: .* no version/
  ],
  [
    "a read that sees the future",
    changed([returned(6, "r1", balance(5)), returned(3.5, "r1", balance(1))], [
      invoked(5, "r1", "state"),
      invoked(3.2, "r1", "state")
    ]),
    /r1: .* from 1 to 1/
  ],
  [
    "a \"no\" that was not true any more",
    changed([returned(12, "w2", rejected(8, 50)), returned(12, "w2", rejected(5, 50))]),
    /w2: /
  ],
  [
    "a \"no\" that was never true",
    changed([invoked(11, "w2", "withdraw", 50), invoked(11, "w2", "withdraw", 8)]),
    /w2: /
  ],
  [
    "an empty answer of an older version",
    changed([returned(14, "t1", replied(null, 3)), returned(14, "t1", replied(null, 2))]),
    /t1: /
  ],
  ["reads that go back in time", [
    invoked(1, "d1", "deposit", 5),
    invoked(2, "r1", "state"),
    returned(3, "r1", balance(5)),
    invoked(4, "r2", "state"),
    returned(5, "r2", balance(0)),
    stored(1, "d1", 5)
  ], /r2: .* from 1 to 1/],
  ["a write in front of what was answered before it was asked", [
    invoked(1, "d1", "deposit", 5),
    returned(2, "d1", balance(12, 2)),
    invoked(3, "d2", "deposit", 7),
    returned(4, "d2", balance(7, 1)),
    stored(1, "d2", 7),
    stored(2, "d1", 5)
  ], /d2: decided on version 0, but 2 was answered before/],
  [
    "a write at another version than `ifVersion`",
    changed([
      invoked(4, "w1", "withdraw", 4),
      invoked(4, "w1", "withdraw", 4, { ifVersion: 0 })
    ]),
    /not written at `ifVersion`/
  ]
]

for (const [what, lines, expected] of errors) {
  it(`finds ${what}`, () => {
    assert.match(check(lines, accountModel).join("\n"), expected)
    assert.match(check(parse(print(lines.toReversed())), accountModel).join("\n"), expected)
  })
}
