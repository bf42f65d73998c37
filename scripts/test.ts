/**
 * What `npm test` runs: the gate, then every test suite. `npm test -- test/Event.test.ts` runs only that file, without
 * the gate; all that follows `--` goes to vitest. The last line counts, a step of the gate as one test.
 */
import { createVitest, parseCLI } from "vitest/node"
import { check, exitOnSignals } from "./check.ts"
import { SuiteReporter } from "./reporter.ts"

const args = process.argv.slice(2)
const isWhole = args.length === 0

const main = async () => {
  const steps = isWhole ? await check() : []
  const tests = await runSuites()
  const passed = tests.passed + steps.filter((step) => step.passed).length
  const failed = tests.failed + steps.filter((step) => !step.passed).length
  const ranNone = tests.passed + tests.failed === 0
  if (ranNone) console.log("No test ran; they are in test/**/*.test.ts and examples/**/*.test.ts.")
  console.log(`${passed} passed, ${failed} failed`)
  process.exit(failed > 0 || ranNone ? 1 : 0)
}

const runSuites = async (): Promise<SuiteReporter> => {
  const reporter = new SuiteReporter({ showAllLogs: !isWhole })
  const { filter, options } = parseCLI(["vitest", "run", ...args])
  try {
    const vitest = await createVitest({ ...options, reporters: [reporter], allowOnly: !isWhole })
    await Promise.race([vitest.start(filter).then(() => vitest.close()), reporter.silence])
  } catch (error) {
    if (!(error instanceof Error)) throw error
    const foundNone = "code" in error && error.code === "VITEST_FILES_NOT_FOUND"
    const { message, name, stack = "" } = error
    if (!foundNone) reporter.fail("the test run as a whole", { name, message, stack })
  }
  return reporter
}

// Workers write into a pipe, and cannot know that no terminal is behind it.
if (!process.stdout.isTTY) process.env["NO_COLOR"] ??= "1"

exitOnSignals()
await main()
