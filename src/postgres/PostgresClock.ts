/**
 * The clock of the Postgres stores' connections. A network knows no virtual time: a test that moves its clock by a day
 * has not waited for a server.
 */
import { Clock, Context, Effect } from "effect"

const realClock = Context.get(Context.empty(), Clock.Clock)

/** Runs on the clock of the world. */
export const inRealTime = Effect.provideService(Clock.Clock, realClock)
