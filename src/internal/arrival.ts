/**
 * An event on its way into the log and to the handlers of inline views. It has no place in the log yet, and no time.
 */
import { type Metadata, metadataOf, type New, type StreamId } from "../Event.ts"
import type { InlineMeta } from "../ProjectionHost.ts"
import type { EventCodec } from "./evolution.ts"
import type { Tagged } from "./shapes.ts"

/** One of today's events, with what is known of it. */
export class Arrival implements InlineMeta {
  readonly event: Tagged
  readonly #made: New
  readonly #stream: StreamId
  readonly #codec: EventCodec
  /** Its number among the events that it will be read as; 0 if it is the only one. */
  readonly #part: number
  constructor(made: New, stream: StreamId, codec: EventCodec, event: Tagged, part: number) {
    this.event = event
    this.#made = made
    this.#stream = stream
    this.#codec = codec
    this.#part = part
  }
  get tenant(): string {
    return this.#stream.tenant
  }
  get category(): string {
    return this.#stream.category
  }
  get id(): string {
    return this.#stream.id
  }
  get eventId(): string {
    return this.#part === 0 ? this.#made.eventId : `${this.#made.eventId}/${this.#part}`
  }
  get type(): string {
    return this.#codec.shapeOf(this.event).type
  }
  get schemaVersion(): number {
    return this.#codec.shapeOf(this.event).schemaVersion
  }
  get metadata(): Metadata {
    return metadataOf(this.#made.metadata)
  }
}
