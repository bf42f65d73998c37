import { Effect } from "effect"
import * as TestRuntime from "varve/testing/TestRuntime"
Effect.runPromise(TestRuntime.idle)
