/**
 * A store by the place where it is: the URL of a PostgreSQL, or a file of SQLite. For campaigns that run on both.
 */
import { Effect, Layer, Option } from "effect"
import * as Store from "../../src/Store.ts"

export const storeAt = (place: string) => {
  const store = Option.some(place.startsWith("postgres") ? "postgres" : "sqlite")
  return Layer.unwrap(Effect.map(Store.choose({ store, url: Option.some(place) }), Store.layer))
}
