/** How vitest runs the suites of `test/` and `examples/`, for `scripts/test.ts` and for editors. */
import { defaultServerConditions } from "vite"
import { defineConfig } from "vitest/config"

/** `varve/…` is a source here, and not what was built of it: see the exports of package.json. */
const source = "varve-source"
const nodeOptions = `${process.env["NODE_OPTIONS"] ?? ""} --conditions=${source}`.trim()

export default defineConfig({
  ssr: { resolve: { conditions: [source, ...defaultServerConditions], externalConditions: [source] } },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    globalSetup: ["test/postgres/setup.ts"],
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 180_000,
    hookTimeout: 180_000,
    execArgv: [`--conditions=${source}`],
    env: { NODE_OPTIONS: nodeOptions } // of the processes that tests start
  }
})
