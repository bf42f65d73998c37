/**
 * The bugs that the tests of the guarantees must find. `npm run mutants` plants them one at a time.
 */
import { evolution } from "./mutants/evolution.ts"
import { groups } from "./mutants/groups.ts"
import { inline } from "./mutants/inline.ts"
import type { Mutant } from "./mutants/mutant.ts"
import { postgres } from "./mutants/postgres.ts"
import { projections } from "./mutants/projections.ts"
import { readers } from "./mutants/readers.ts"
import { runtime } from "./mutants/runtime.ts"
import { stores } from "./mutants/stores.ts"
import { testing } from "./mutants/testing.ts"

export const mutants: ReadonlyArray<Mutant> = [
  ...runtime,
  ...groups,
  ...evolution,
  ...stores,
  ...readers,
  ...projections,
  ...inline,
  ...postgres,
  ...testing
]
