/**
 * The room of the command line, as far as others build on it: `import { App } from "varve/cli"`. Nobody in here imports
 * it.
 */
export * as App from "./App.ts"
