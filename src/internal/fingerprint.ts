/**
 * Fingerprints: of a payload, so that a repeated command is told from another one under the same id; of a state's
 * schema, so that a snapshot is told from one that older code has folded.
 */
import { Schema } from "effect"
import { hash } from "node:crypto"
import type { PureCodec } from "../Event.ts"
import { canonical } from "./json.ts"

/** SHA-256 in hexadecimal. */
export const sha256 = (text: string): string => hash("sha256", text, "hex")

/** The JSON Schema of what a codec writes, as canonical text. */
export const schemaText = (codec: PureCodec): string =>
  canonical(Schema.toJsonSchemaDocument(Schema.toEncoded(Schema.toCodecJson(codec))))
