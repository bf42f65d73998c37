/**
 * An event on its way to a projection's handlers. Hardly any handler looks at all of it, so nothing is made of the stored
 * event before somebody asks.
 */
import { type Metadata, metadataOf, type Recorded, type Stored } from "../Event.ts"
import type { EventCodec } from "./evolution.ts"
import type { Tagged } from "./shapes.ts"

/** One of today's events, with what is recorded of it. */
export class Delivery implements Recorded<Tagged> {
  readonly event: Tagged
  readonly #stored: Stored
  readonly #codec: EventCodec
  /** Its number among the events that the stored one has become; 0 if it is the only one. */
  readonly #part: number
  constructor(stored: Stored, codec: EventCodec, event: Tagged, part: number) {
    this.event = event
    this.#stored = stored
    this.#codec = codec
    this.#part = part
  }
  get tenant(): string {
    return this.#stored.tenant
  }
  get category(): string {
    return this.#stored.category
  }
  get id(): string {
    return this.#stored.id
  }
  get version(): number {
    return this.#stored.version
  }
  get position(): bigint {
    return this.#stored.position
  }
  get eventId(): string {
    return this.#part === 0 ? this.#stored.eventId : `${this.#stored.eventId}/${this.#part}`
  }
  get type(): string {
    return this.#codec.shapeOf(this.event).type
  }
  get schemaVersion(): number {
    return this.#codec.shapeOf(this.event).schemaVersion
  }
  get metadata(): Metadata {
    return metadataOf(this.#stored.metadata)
  }
  get recordedAt(): Date {
    return new Date(this.#stored.recordedAtMillis)
  }
}
