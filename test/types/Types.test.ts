/**
 * What must not compile does not, and the last line of its message says why in words that help.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { basename, join } from "node:path"

const refused: Readonly<Record<string, string>> = {
  AsyncHandler:
    "Type 'Promise<Decision<never, void>>' is not assignable to type 'Handled<{ readonly _tag: \"OrderPlaced\"; readonly totalCents: number; } | { readonly _tag: \"OrderShipped\"; readonly carrier: string; }, Command<\"touch\", Struct<{}>, Void, never>>'.",
  CommandTwice:
    "Type 'Command<\"place\", Struct<{ n: Int; }>, Void, never>' is not assignable to type '\"another command of this aggregate has this name\"'.",
  ExtraHandler:
    "Type '() => Decision<never, void>' is not assignable to type '\"no command of this aggregate has this name\"'.",
  FaultOfAnotherOperation:
    "Property 'operation' is missing in type 'AppendLost' but required in type 'StoreUnavailable'.",
  ForeignEvent:
    "Property 'carrier' is missing in type '{ readonly _tag: \"MoneyDeposited\"; readonly cents: number; readonly note?: string; }' but required in type '{ readonly _tag: \"OrderShipped\"; readonly carrier: string; }'.",
  ForgottenReply: "Type 'void' is not assignable to type '{ readonly totalCents: number; }'.",
  HandlerOfNothing:
    "Type 'void' is not assignable to type 'Handled<{ readonly _tag: \"OrderPlaced\"; readonly totalCents: number; } | { readonly _tag: \"OrderShipped\"; readonly carrier: string; }, Command<\"touch\", Struct<{}>, Void, never>>'.",
  InlinePosition: "Property 'position' does not exist on type 'InlineMeta'.",
  InlineWithoutHost: "Type 'InlineHost' is not assignable to type 'never'.",
  MessageOfNoJson: "Index signature for type 'string' is missing in type 'Date'.",
  MissingEvolveCase:
    "Property 'OrderShipped' is missing in type '{ OrderPlaced: () => { readonly status: \"placed\"; }; }' but required in type 'Evolve<{ readonly status: \"new\" | \"placed\" | \"shipped\"; }, { readonly _tag: \"OrderPlaced\"; readonly totalCents: number; } | { readonly _tag: \"OrderShipped\"; readonly carrier: string; }>'.",
  MissingHandler:
    "Property 'touch' is missing in type '{ place: () => Decision<{ readonly _tag: \"OrderPlaced\"; readonly totalCents: number; }, { totalCents: number; }>; ship: () => Decision<never, void>; note: () => Decision<never, void>; }' but required in type 'Handlers<{ readonly status: \"new\" | \"placed\" | \"shipped\"; }, { readonly _tag: \"OrderPlaced\"; readonly totalCents: number; } | { readonly _tag: \"OrderShipped\"; readonly carrier: string; }, Command<...> | ... 2 more ... | Command<...>>'.",
  MissingLayer: "Type 'Orders' is not assignable to type 'never'.",
  MissingStore: "Type 'EventStore' is not assignable to type 'never'.",
  NamelessCommand: "Argument of type '\"\"' is not assignable to parameter of type '\"a command has a name\"'.",
  NoCommand: "Type '{ tag: \"x\"; }' is not assignable to type '\"a command is made by Aggregate.command\"'.",
  OptionAsPayload: "Expected 0 arguments, but got 1.",
  PayloadMissing: "Expected 1 arguments, but got 0.",
  ShapeWithoutVersion:
    "Argument of type '\"OrderPlaced\"' is not assignable to parameter of type '`${string}@${number}`'.",
  TestRuntimeMissing: "Type 'TestRuntime' is not assignable to type 'never'.",
  Thenable:
    "Argument of type '\"then\"' is not assignable to parameter of type '\"a command cannot be named like a member of a thenable\"'.",
  UncheckedSave:
    "Property 'expected' is missing in type '{ events: { readonly _tag: \"OrderPlaced\"; readonly totalCents: number; }[]; }' but required in type 'Save<{ readonly _tag: \"OrderPlaced\"; readonly totalCents: number; } | { readonly _tag: \"OrderShipped\"; readonly carrier: string; }>'.",
  TwoPoints: "Type 'Date' is not assignable to type 'undefined'.",
  UndeclaredError: "Property 'orderId' is missing in type 'NotShippable' but required in type 'AlreadyPlaced'.",
  UpcastBeyondYields:
    "Property 'totalCents' is missing in type '{ readonly _tag: \"OrderShipped\"; readonly carrier: string; }' but required in type '{ readonly _tag: \"OrderPlaced\"; readonly totalCents: number; }'.",
  UpcastToUndeclared:
    "Property 'carrier' is missing in type '{ readonly _tag: \"MoneyDeposited\"; readonly cents: number; readonly note?: string; }' but required in type '{ readonly _tag: \"OrderShipped\"; readonly carrier: string; }'.",
  UpcastWithWrongData: "Type 'string' is not assignable to type 'number'.",
  AfterWithoutDocument:
    "Property 'document' is missing in type '{ key: string; }' but required in type '{ readonly key: string; readonly document: Pick<{ readonly status: \"placed\" | \"shipped\"; readonly cents: number; readonly note: string; }, \"cents\" | \"status\">; }'.",
  AsyncView:
    "Type 'Promise<undefined>' is missing the following properties from type '{ readonly status: \"placed\" | \"shipped\"; readonly cents: number; readonly note: string; }': status, cents, note",
  CaseOfNoEvent:
    "Object literal may only specify known properties, but 'OrderPlcaed' does not exist in type 'DocumentCases<{ readonly status: \"placed\" | \"shipped\"; readonly cents: number; readonly note: string; }, { readonly _tag: \"OrderPlaced\"; readonly totalCents: number; } | { readonly _tag: \"OrderShipped\"; readonly carrier: string; }> & NoOtherEvents<...>'. Did you mean to write 'OrderPlaced'?",
  EarlierOfAnother:
    "Property 'total' is missing in type '{ sum: number; }' but required in type '{ readonly total: number; }'.",
  EffectFromNowhere:
    "Property 'from' is missing in type '{ sources: (on: OnEvents) => EffectSource<never>[]; }' but required in type 'EffectOptions<EffectSource<any>>'.",
  EffectOfNoEffect:
    "Type 'Promise<void>' is missing the following properties from type 'Effect<unknown, unknown, any>': toJSON, [NodeInspectSymbol], [TypeId], [Symbol.iterator], pipe",
  ForeignFieldValue: "Type '\"lost\"' is not assignable to type '\"placed\" | \"shipped\" | null | undefined'.",
  ForeignState: "Type 'string' is not assignable to type 'number'.",
  IndexOfAList: "Type '\"skus\"' is not assignable to type '\"total\"'.",
  IndexOfNoField: "Type '\"skus\"' is not assignable to type '\"sku\"'.",
  UnindexedField:
    "Object literal may only specify known properties, and 'note' does not exist in type '{ readonly cents?: number | null; readonly status?: \"placed\" | \"shipped\" | null; }'.",
  UnindexedOrder: "Type '\"note\"' is not assignable to type '\"cents\" | \"status\"'.",
  ViewWithoutLayer: "Type 'OrderSummaries' is not assignable to type 'never'.",
  ViewWithoutRunner: "Type 'ProjectionHost' is not assignable to type 'never'.",
  WrongDocument:
    "Property 'note' is missing in type '{ status: \"placed\"; cents: number; }' but required in type '{ readonly status: \"placed\" | \"shipped\"; readonly cents: number; readonly note: string; }'.",
  WrongReply:
    "Property 'totalCents' is missing in type '{ total: number; }' but required in type '{ readonly totalCents: number; }'."
}

const root = join(import.meta.dirname, "../..")

/** The last line of the message of each file's diagnostics, by the file's name. */
const diagnose = (): ReadonlyMap<string, ReadonlyArray<string>> => {
  const compiler = join(root, "node_modules/typescript/bin/tsc")
  const { stdout } = spawnSync(process.execPath, [compiler, "-p", import.meta.dirname, "--pretty", "false"], {
    cwd: root,
    encoding: "utf8"
  })
  const found = new Map<string, Array<string>>()
  let current: Array<string> = []
  for (const line of stdout.split("\n").filter((line) => line !== "")) {
    const [, file, message] = /^(\S+?)\(\d+,\d+\): error TS\d+: (.*)$/.exec(line) ?? []
    if (file === undefined) {
      current[current.length - 1] = line.trim()
    } else {
      const name = basename(file, ".ts")
      current = found.get(name) ?? []
      found.set(name, current)
      current.push(message!)
    }
  }
  return found
}

describe("types", () => {
  const diagnostics = diagnose()

  it("compile where they are pinned exactly", () => {
    assert.deepStrictEqual(diagnostics.get("exact") ?? [], [])
    assert.deepStrictEqual(diagnostics.get("Orders") ?? [], [])
  })

  it("are refused in every file of the folder, and nowhere else", () => {
    const files = readdirSync(join(import.meta.dirname, "refused")).map((file) => basename(file, ".ts"))
    assert.deepStrictEqual(files.toSorted(), Object.keys(refused).toSorted())
    assert.deepStrictEqual([...diagnostics.keys()].toSorted(), Object.keys(refused).toSorted())
  })

  for (const [name, lastLine] of Object.entries(refused)) {
    it(`refuse ${name} with a message that helps`, () => {
      assert.deepStrictEqual(diagnostics.get(name), [lastLine])
    })
  }
})
