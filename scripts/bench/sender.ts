/**
 * A process that appends entries to a contestant's log, for another one that is told of them. Started by `readStage.ts`.
 *
 * `sender.ts WRITER MILLIS`
 */
import { openReadings } from "./modules.ts"
import { send, type Writer } from "./readStage.ts"

const [argument, millis] = process.argv.slice(2) as [string, string]
const { module, setting }: Writer = JSON.parse(argument)
const readings = await (await openReadings(module))(setting)
// Connections are made and code is compiled before it counts.
await send({ append: (entry) => readings.append({ ...entry, reference: "warming up" }) }, 500)
const sent = await send(readings, Number(millis))
await readings.close()
process.send!(sent)
process.disconnect()
