#!/usr/bin/env node
/**
 * The command line of Varve.
 */
import { Command } from "effect/cli"
import * as ExportCommand from "./ExportCommand.ts"
import * as HistoryCommand from "./HistoryCommand.ts"
import { main } from "./Main.ts"
import * as MigrateCommand from "./MigrateCommand.ts"
import * as RunCommand from "./RunCommand.ts"
import * as ViewsCommand from "./ViewsCommand.ts"

const varve = Command.make("varve").pipe(
  Command.withDescription("An event-sourcing runtime for TypeScript on Effect"),
  Command.withSubcommands([
    RunCommand.command,
    ExportCommand.command,
    HistoryCommand.command,
    MigrateCommand.command,
    ViewsCommand.make()
  ])
)

main(varve, { version: "0.1.0" })
