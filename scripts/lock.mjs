// A lock between processes, for `run.mjs`. Plain JavaScript, since it runs before there is anything to run TypeScript.
//
// The lock is a folder with one file. The file is named by its owner's pid, and in it stands the pid of the program
// that works for the owner, and may outlive it. If both are dead, the lock is orphaned, however young it is. Making a
// folder and renaming a file are atomic, so of many processes exactly one gets a free lock, or an orphaned one.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

/** Waits until the lock is ours; `onWait` is told once. Ours until `release`, or until this process exits. */
export const acquire = async (folder, onWait) => {
  const ours = join(folder, String(process.pid))
  const release = () => removeFile(folder, ours)
  if (!tryAcquire(folder, ours)) {
    onWait()
    while (!tryAcquire(folder, ours)) await new Promise((resolve) => setTimeout(resolve, 250))
  }
  process.on("exit", release)
  return { release, heldBy: (pid) => writeFileSync(ours, String(pid)) }
}

const tryAcquire = (folder, ours) => {
  try {
    mkdirSync(folder)
    writeFileSync(ours, String(process.pid))
    return true
  } catch (error) {
    if (error.code === "ENOENT") return false // someone took our folder for an empty one, see below
    if (error.code !== "EEXIST") throw error
    return tryInherit(folder, ours)
  }
}

const tryInherit = (folder, ours) => {
  try {
    const [owner] = readdirSync(folder)
    if (owner === undefined) rmdirSync(folder) // its owner was killed before it could sign, or is just releasing it
    else if (!isAlive(owner) && !isAlive(readFileSync(join(folder, owner), "utf8"))) {
      renameSync(join(folder, owner), ours)
      return true
    }
  } catch { /* it changed hands meanwhile */ }
  return false
}

const removeFile = (folder, ours) => {
  try {
    rmSync(ours)
    rmdirSync(folder)
  } catch { /* released before, or someone else was quicker to tidy up */ }
}

/** Our own pid in a lock is a namesake's, of an earlier life of this container. */
const isAlive = (pid) => {
  if (!(Number(pid) > 0) || Number(pid) === process.pid) return false
  try {
    return process.kill(Number(pid), 0) && !isZombie(pid)
  } catch (error) {
    return error.code === "EPERM"
  }
}

/** It has ended, but in a container without an init nobody takes note of that. */
const isZombie = (pid) => {
  const status = `/proc/${pid}/stat`
  return existsSync(status) && readFileSync(status, "utf8").includes(") Z ")
}
