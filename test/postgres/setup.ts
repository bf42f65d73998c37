/**
 * Starts the PostgreSQL that all suites of a test run share; in the background, so that suites without it need not wait.
 */
import type { TestProject } from "vitest/node"
import { type Missing, type Server, start } from "../../scripts/postgres.ts"

declare module "vitest" {
  interface ProvidedContext {
    readonly postgres: Server | Missing
  }
}

export default async ({ provide }: TestProject) => {
  const server = await start()
  if ("missing" in server) return provide("postgres", server)
  const { ready, stop, url } = server
  provide("postgres", { url, ready })
  return stop
}
