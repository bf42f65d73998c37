/**
 * Clients of one aggregate definition: one small object per handle, whose methods, one per command, are made when they
 * are asked for and may be taken off it.
 */
import { Effect } from "effect"
import type { Definition, HandleOptions, Hosted } from "../AggregateHost.ts"
import type { StreamId } from "../Event.ts"

/** What a handle was made with. */
export type Options = HandleOptions & { readonly returning?: "reply" | "commit" | undefined }

// Symbols, so that no command's name can get in the way.
const streamKey = Symbol("stream")
const optionsKey = Symbol("options")

interface Bound {
  readonly [streamKey]: StreamId
  readonly [optionsKey]: Options
}

/** The maker of the clients of one definition; they share a prototype. */
export const make = ({ commands }: Definition, execute: Hosted["execute"]) => {
  class Client implements Bound {
    readonly [streamKey]: StreamId
    readonly [optionsKey]: Options
    constructor(stream: StreamId, options: Options) {
      this[streamKey] = stream
      this[optionsKey] = options
    }
  }
  for (const command of commands) {
    Object.defineProperty(Client.prototype, command.tag, {
      enumerable: true,
      get(this: Bound) {
        const { [optionsKey]: options, [streamKey]: stream } = this
        return (payload: unknown = {}) => {
          const commit = execute(stream, command, payload, options)
          return options.returning === "commit" ? commit : Effect.map(commit, ({ reply }) => reply)
        }
      }
    })
  }
  return (stream: StreamId, options: Options): object => new Client(stream, options)
}
