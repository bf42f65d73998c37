/**
 * How a test run tells what happens: each suite when it is done, what failed and where, what was skipped and why. For
 * `test.ts`, as a reporter of vitest; it also counts, for the last line.
 */
import { relative } from "node:path"
import { styleText } from "node:util"
import type { SerializedError, TestError, UserConsoleLog } from "vitest"
import type { Reporter, TestCase, TestModule, TestSuite, Vitest } from "vitest/node"
import { root } from "./sources.ts"

interface Failure {
  readonly name: string
  readonly errors: ReadonlyArray<TestError | SerializedError>
}

/** Where everything is there that a test may need (CI), a test that skips itself has failed. */
const requireAll = process.env["VARVE_TEST_REQUIRE_ALL"] === "1"

/** A test has a minute; but one that never lets go of its thread cannot be told that its minute is over. */
const silenceMillisMax = 5 * 60_000

export class SuiteReporter implements Reporter {
  passed = 0
  failed = 0
  readonly #silence = Promise.withResolvers<void>()
  #alarm: NodeJS.Timeout | undefined
  /** The suites under way, by name, with what was heard of them last. */
  readonly #underWay = new Map<string, string>()
  readonly #showAllLogs: boolean
  /** What suites write, by their ids: shown when they are done, as a rule only if they fail. */
  readonly #logs = new Map<string | undefined, Array<UserConsoleLog>>()
  #vitest: Vitest | undefined

  constructor(options: { readonly showAllLogs: boolean }) {
    this.#showAllLogs = options.showAllLogs
  }

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onUserConsoleLog(log: UserConsoleLog): void {
    const source = log.taskId === undefined ? undefined : this.#vitest?.state.getReportedEntityById(log.taskId)
    const id = source?.type === "module" ? source.id : source?.module.id
    this.#logs.set(id, [...this.#logs.get(id) ?? [], log])
  }

  onTestModuleQueued(module: TestModule): void {
    this.#hear(module, "its turn came")
  }

  onTestCaseResult(test: TestCase): void {
    this.#hear(test.module, `"${test.fullName}"`)
  }

  onTestModuleEnd(module: TestModule): void {
    this.#underWay.delete(module.relativeModuleId)
    const tests = [...module.children.allTests()]
    const passed = tests.filter((test) => test.result().state === "passed")
    const skipped = this.#skippedOf(tests)
    const failures = [
      ...[module, ...module.children.allSuites()].flatMap(failureOfSuite),
      ...tests.flatMap(failureOfTest),
      ...(requireAll ? skipped.map(failureOfSkipped) : [])
    ]
    this.passed += passed.length
    this.failed += failures.length
    console.log(headline(module, tests.length, failures.length, skipped.length))
    if (failures.length > 0 || this.#showAllLogs) this.#writeLogs(module.id)
    for (const failure of failures) print(failure)
    if (requireAll) return
    for (const test of skipped) console.log(`    ○ ${test.fullName}: skipped, ${reason(test)}`)
  }

  onTestRunEnd(_modules: ReadonlyArray<TestModule>, unhandled: ReadonlyArray<SerializedError>): void {
    this.#writeLogs(undefined)
    for (const error of unhandled) this.fail("outside of any test", error)
  }

  /** Resolves when no suite has been heard of for too long: they hang, and count as failed. */
  get silence(): Promise<void> {
    return this.#silence.promise
  }

  /** Something failed that is no test. */
  fail(name: string, error: SerializedError): void {
    this.failed++
    print({ name, errors: [error] })
  }

  /** A filter on names makes all others skipped, which is no news. */
  #skippedOf(tests: ReadonlyArray<TestCase>): ReadonlyArray<TestCase> {
    if (this.#vitest?.config.testNamePattern !== undefined) return []
    return tests.filter((test) => test.result().state === "skipped")
  }

  #hear(module: TestModule, news: string): void {
    this.#underWay.set(module.relativeModuleId, news)
    clearTimeout(this.#alarm)
    this.#alarm = setTimeout(() => {
      for (const [suite, last] of this.#underWay) {
        this.fail(suite, { message: `hangs: nothing was heard of it for 5 minutes, after ${last}` })
      }
      this.#silence.resolve()
    }, silenceMillisMax)
  }

  #writeLogs(id: string | undefined): void {
    for (const { content, type } of this.#logs.get(id) ?? []) process[type].write(content)
  }
}

const headline = (module: TestModule, tests: number, failed: number, skipped: number): string => {
  const { collectDuration, duration } = module.diagnostic()
  const mark = failed === 0 ? styleText("green", "✓") : styleText("red", "✗")
  const counts = [
    tests === 1 ? "1 test" : `${tests} tests`,
    failed > 0 ? `${failed} failed` : "",
    skipped > 0 ? `${skipped} skipped` : ""
  ]
  const seconds = ((collectDuration + duration) / 1_000).toFixed(1)
  return `${mark} ${module.relativeModuleId}  ${styleText("dim", `${counts.filter(Boolean).join(", ")}, ${seconds} s`)}`
}

/** What fails outside of its tests: loading the file, or a hook. */
const failureOfSuite = (suite: TestModule | TestSuite): ReadonlyArray<Failure> => {
  const errors = suite.errors()
  const name = suite.type === "suite" ? suite.fullName : "the file itself"
  return errors.length === 0 ? [] : [{ name, errors }]
}

const failureOfTest = (test: TestCase): ReadonlyArray<Failure> => {
  const { errors, state } = test.result()
  return state === "failed" ? [{ name: test.fullName, errors }] : []
}

const failureOfSkipped = (test: TestCase): Failure => {
  const message = `skipped, ${reason(test)}; but VARVE_TEST_REQUIRE_ALL=1`
  return { name: test.fullName, errors: [{ message }] }
}

const reason = (test: TestCase): string => {
  const result = test.result()
  if (result.state === "skipped" && result.note !== undefined) return result.note
  return test.options.mode === "todo" ? "still to be written" : "without a reason; `ctx.skip` takes one"
}

const print = ({ errors, name }: Failure): void => {
  const lines = errors.flatMap((error) => describe(error)).map((line) => `      ${line}`)
  console.log([styleText("red", `    ✗ ${name}`), ...lines].join("\n"))
}

/** What it says, the difference if it compared things, the places in our own code, and what caused it. */
const describe = (error: TestError | SerializedError, prefix = ""): ReadonlyArray<string> => [
  ...`${prefix}${error.name === undefined ? "" : `${error.name}: `}${error.message}`.split("\n"),
  ...(typeof error["diff"] === "string" ? error["diff"].split("\n") : []),
  ...placesOf(error).map((place) => styleText("dim", `at ${place}`)),
  ...(error.cause === undefined ? [] : describe(error.cause, "caused by "))
]

/** Vitest reads the stacks of errors in tests; those of others are as Node wrote them. */
const placesOf = ({ stack = "", stacks }: SerializedError): ReadonlyArray<string> => {
  const places = stacks?.map(({ column, file, line }) => `${file}:${line}:${column}`)
    ?? Array.from(stack.matchAll(/at (?:.* \()?(?:file:\/\/)?(\/.*:\d+:\d+)/g), ([, place = ""]) => place)
  return places
    .map((place) => relative(root, place))
    .filter((place) => !place.startsWith("..") && !place.startsWith("node_modules"))
}
