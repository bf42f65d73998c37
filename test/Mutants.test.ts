/**
 * The planted bugs of `npm run mutants` can be planted: a change that moves the code under one has to move it, too.
 */
import { assert, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "../scripts/sources.ts"
import { mutants } from "./mutants.ts"

it("each planted bug finds its place, once", () => {
  const lost = mutants.flatMap((mutant) => {
    const text = readFileSync(join(root, mutant.file), "utf8")
    const edits = mutant.also === undefined ? [mutant] : [mutant, mutant.also]
    return edits.every(({ find }) => text.split(find).length === 2) ? [] : [`${mutant.file}: ${mutant.bug}`]
  })
  assert.deepStrictEqual(lost, [])
})
