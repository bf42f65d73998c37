/**
 * Whether SQLite is really told to write to the disk: a process that sends commands one after the other is watched by
 * strace. No answer may go out before a sync that came after the answer before it.
 *
 * `npm run soak -- durability [COMMANDS]`, a thousand unless given. It needs strace, so it is no part of the tests.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { root } from "../sources.ts"

/** What strace saw. */
export interface Report {
  /** Answers that went out; each is at least one commit. */
  readonly commits: number
  readonly syncs: number
  /** What went wrong; empty in health. */
  readonly problems: ReadonlyArray<string>
}

/** Sends so many commands, and counts. */
export const run = (commands: number): Report => {
  const folder = mkdtempSync(join(tmpdir(), "varve-durability-"))
  try {
    const trace = join(folder, "trace")
    const writer = [join(root, "scripts/soak/acks.ts"), join(folder, "log.sqlite"), String(commands)]
    const watched = ["-f", "-e", "trace=fsync,fdatasync,write", "-o", trace, process.execPath, ...writer]
    const strace = spawnSync("strace", watched, { encoding: "utf8" })
    if (strace.error !== undefined) return failed(`strace cannot be started: ${strace.error.message}; is it installed?`)
    if (strace.status !== 0) return failed(`strace or what it watched failed (${strace.status}): ${strace.stderr}`)
    return count(readFileSync(trace, "utf8"), commands)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const failed = (problem: string): Report => ({ commits: 0, syncs: 0, problems: [problem] })

const count = (trace: string, commands: number): Report => {
  const problems: Array<string> = []
  let commits = 0
  let syncs = 0
  let syncsBefore = 0
  for (const line of trace.split("\n")) {
    if (/ (fsync|fdatasync)\(.* = 0$/.test(line)) syncs++
    // A call of another thread may be cut in two by this one's.
    if (/<\.\.\. (fsync|fdatasync) resumed>.* = 0$/.test(line)) syncs++
    const answer = / write\(1, "answer (\d+)\\n"/.exec(line)?.[1]
    if (answer === undefined) continue
    commits++
    if (syncs === syncsBefore) problems.push(`answer ${answer} went out before anything was synced`)
    syncsBefore = syncs
  }
  if (commits !== commands) problems.push(`${commands} commands were sent, ${commits} were answered`)
  return { commits, syncs, problems }
}
