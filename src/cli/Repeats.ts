/**
 * Which commands had been carried out before: the store says so when it is asked for their receipts, or given their
 * appends again. An app need not tell.
 */
import { Context, Effect, Layer } from "effect"
import { EventStore, type Receipt } from "../EventStore.ts"

/** The numbers of the lines whose commands were recognized, as long as these lines are under way. */
export const Repeats = Context.Reference<Set<number>>("varve/cli/Repeats", { defaultValue: () => new Set() })

/** A store that notes what it recognizes of a batch. */
export const layer = (batch: string): Layer.Layer<EventStore, never, EventStore> =>
  Layer.effectContext(Effect.map(EventStore, (store) => {
    const repeats = new Set<number>()
    const note = (receipt: Receipt | undefined) => {
      const line = receipt === undefined ? Number.NaN : lineOf(batch, receipt.commandId)
      if (!Number.isNaN(line)) repeats.add(line)
    }
    const watched = EventStore.of({
      ...store,
      append: (group) =>
        Effect.map(store.append(group), (statuses) => {
          for (const status of statuses) if (status._tag === "Duplicate") status.receipts.forEach(note)
          return statuses
        }),
      receipt: (stream, commandId) =>
        Effect.map(store.receipt(stream, commandId), (found) => {
          note(found)
          return found
        })
    })
    return Context.make(EventStore, watched).pipe(Context.add(Repeats, repeats))
  }))

/** An app may carry out a line by several commands, whose ids it makes of the one that it was given. */
const lineOf = (batch: string, commandId: string): number =>
  commandId.startsWith(`${batch}:`) ? Number.parseInt(commandId.slice(batch.length + 1), 10) : Number.NaN
