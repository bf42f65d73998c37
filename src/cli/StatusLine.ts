/**
 * One line that says how things are going: redrawn in place in a terminal, a log line now and then elsewhere.
 *
 * It goes to standard error, so that standard output holds results only.
 */
import { Effect, Schedule } from "effect"

/** Shows how things are going, and what is worth a line of its own. */
export interface StatusLine {
  /** While `work` runs, shows what `text` says: four times a second in a terminal, every 10 seconds elsewhere. */
  readonly during: <A, E, R, E2, R2>(
    text: Effect.Effect<string, E2, R2>,
    work: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E, R | R2>
  /** A line that stays. */
  readonly say: (line: string) => Effect.Effect<void>
}

/** Where to write. */
export interface Output {
  readonly isTTY?: boolean | undefined
  readonly columns?: number | undefined
  readonly write: (text: string) => unknown
}

/** Makes the current line of a terminal empty. */
export const clear = "\r\u001b[2K"

/** The status line of an output. */
export const make = (output: Output): StatusLine => {
  const isTerminal = output.isTTY === true
  const write = (text: string) => Effect.sync(() => void output.write(text))
  const show = (text: string) => write(isTerminal ? clear + cut(text, output.columns ?? 80) : `${text}\n`)
  const every = Schedule.spaced(isTerminal ? "250 millis" : "10 seconds")
  return {
    during: (text, work) => {
      const showing = Effect.ignore(Effect.flatMap(text, show))
      const last = isTerminal ? Effect.andThen(showing, write("\n")) : showing
      return Effect.scoped(Effect.gen(function*() {
        yield* Effect.forkScoped(Effect.andThen(Effect.sleep("250 millis"), Effect.repeat(showing, every)))
        return yield* Effect.ensuring(work, last)
      }))
    },
    say: (line) => write(`${isTerminal ? clear : ""}${line}\n`)
  }
}

const cut = (text: string, columns: number): string => (text.length < columns ? text : `${text.slice(0, columns - 2)}…`)
