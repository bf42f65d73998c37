/**
 * Fingerprints: of a payload, so that a repeated command is told from another one under the same id; of a state's
 * schema, so that a snapshot is told from one that older code has folded.
 */
import { hash } from "node:crypto"

/** SHA-256 in hexadecimal. */
export const sha256 = (text: string): string => hash("sha256", text, "hex")
