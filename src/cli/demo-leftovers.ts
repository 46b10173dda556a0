// Takes a demo's work folder away with everything that hangs on it: driver, mounts, loop devices, files.
import { readlink } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Host } from '../host/host.ts'
import { isCode } from '../host/local-files.ts'
import { findDevice } from '../linux/device.ts'
import { detachLoop, type Loop, listLoops } from '../linux/losetup.ts'
import { listMounts, type Mount, unmountAll } from '../linux/mount.ts'
import { Unavailable } from '../volume/errors.ts'
import { type Op, SILENT } from '../volume/op.ts'
import { readStart } from './demo-run.ts'

/** Cleaning goes on whatever happens around it. */
const op: Op = { log: SILENT, signal: new AbortController().signal }

/** A driver lets running calls end after SIGTERM. */
const TERM_MS = 10_000
const KILL_MS = 5_000
/** Commands that a killed driver had begun (a format, a mount) run to their end by themselves. */
const SETTLE_MS = 20_000
const PAUSE_MS = 200

export interface Leftovers {
  /** Mount points, in the order to unmount them. */
  readonly mounts: readonly string[]
  /** In the order to detach them. */
  readonly loops: readonly Loop[]
}

/** What hangs on a folder, of all mounts and all loop devices of the machine. */
export function selectLeftovers(folder: string, mounts: readonly Mount[], loops: readonly Loop[]): Leftovers {
  const own = loops.filter(({ backingFile }) => backingFile.startsWith(`${folder}/`))
  // A read-only view of a volume is a loop device on its loop device.
  const views = loops.filter(({ backingFile }) => own.some(({ kname }) => backingFile === `/dev/${kname}`))
  return {
    // Later mounts may lie upon or below earlier ones.
    mounts: mounts
      .map(({ path }) => path)
      .filter(path => path === folder || path.startsWith(`${folder}/`))
      .reverse(),
    loops: [...views, ...own],
  }
}

export async function findLeftovers(host: Host, folder: string): Promise<Leftovers> {
  return selectLeftovers(folder, await listMounts(host), await listLoops(host))
}

/** In words; empty when there are none. */
export function describeLeftovers({ mounts, loops }: Leftovers): string[] {
  return [
    ...mounts.map(path => `mounted: ${path}`),
    ...loops.map(({ kname, backingFile }) => `attached: /dev/${kname} (${backingFile})`),
  ]
}

/** Is this the command line (/proc/pid/cmdline) of the driver that serves this folder's socket? */
export function isDriverOf(cmdline: string, folder: string): boolean {
  const args = cmdline.split('\0')
  return args.some(arg => basename(arg) === 'all-in-one.ts') && args.includes(endpointOf(folder))
}

export function endpointOf(folder: string): string {
  return `unix://${join(folder, 'csi.sock')}`
}

/** Answers what it did, in words. Throws, and removes no file, while something holds on to the folder. */
export async function clearFolder(host: Host, folder: string): Promise<string[]> {
  const done: string[] = []
  for (const pid of await findProcesses(host, async each => isDriverOf(await readCmdline(host, each), folder))) {
    await endProcess(host, pid)
    done.push(`ended driver process ${pid}`)
  }
  const deadline = performance.now() + SETTLE_MS
  for (;;) {
    const problems = await release(host, folder, done)
    const workers = await findProcesses(host, each => isAtHome(each, folder))
    const late = performance.now() > deadline
    // Somebody's shell in the folder is no reason to keep it for ever.
    if (problems.length === 0 && (workers.length === 0 || late)) break
    if (late)
      throw new Unavailable({
        asked: `clear ${folder}`,
        found: problems.join('; '),
        next: 'end what uses it; the next demo tries again',
      })
    await sleep(PAUSE_MS)
  }
  await removeTree(host, folder)
  return done
}

/** Unmounts and detaches what it can; answers what is in the way. */
async function release(host: Host, folder: string, done: string[]): Promise<string[]> {
  const { mounts, loops } = await findLeftovers(host, folder)
  const problems: string[] = []
  const attempt = async (what: string, work: () => Promise<void>) => {
    try {
      await work()
      done.push(what)
    } catch (error) {
      problems.push(error instanceof Error ? error.message : String(error))
    }
  }
  for (const path of new Set(mounts)) await attempt(`unmounted ${path}`, () => unmountAll(host, path, op))
  for (const { kname } of loops) {
    const device = await findDevice(host, kname)
    if (device) await attempt(`detached ${device.path}`, () => detachLoop(host, device, op))
  }
  return problems
}

/** Removes files and empty folders one by one, on one filesystem only. */
export async function removeTree(host: Host, folder: string): Promise<void> {
  const root = await host.files.facts(folder)
  if (!root) return
  const left = describeLeftovers(await findLeftovers(host, folder))
  if (left.length > 0) throw refusal(folder, left.join('; '))
  const remove = async (path: string): Promise<void> => {
    const facts = await host.files.facts(path)
    if (!facts) return
    if (facts.device !== root.device) throw refusal(folder, `${path} is on another filesystem`)
    if (facts.kind !== 'directory') return await host.files.removeFile(path)
    for (const name of (await host.files.list(path)) ?? []) await remove(join(path, name))
    await host.files.removeDirectory(path)
  }
  await remove(folder)
}

function refusal(folder: string, found: string): Unavailable {
  return new Unavailable({ asked: `remove the files in ${folder}`, found, next: 'look at it and remove it by hand' })
}

async function findProcesses(host: Host, isWanted: (pid: number) => Promise<boolean>): Promise<number[]> {
  const found: number[] = []
  for (const name of (await host.files.list('/proc')) ?? []) {
    const pid = Number(name)
    if (/^\d+$/.test(name) && pid !== process.pid && (await isWanted(pid))) found.push(pid)
  }
  return found
}

async function readCmdline(host: Host, pid: number): Promise<string> {
  try {
    return (await host.files.read(`/proc/${pid}/cmdline`)) ?? ''
  } catch (error) {
    if (isCode(error, 'ESRCH')) return ''
    throw error
  }
}

/** The driver and the commands it starts have the folder as their working directory. */
async function isAtHome(pid: number, folder: string): Promise<boolean> {
  try {
    return (await readlink(`/proc/${pid}/cwd`)) === folder
  } catch {
    return false // a process that ended, a kernel thread, or another user's
  }
}

async function endProcess(host: Host, pid: number): Promise<void> {
  const start = await readStart(host, pid)
  const isGone = async () => start === undefined || (await readStart(host, pid)) !== start
  for (const [signal, ms] of [
    ['SIGTERM', TERM_MS],
    ['SIGKILL', KILL_MS],
  ] as const) {
    if (await isGone()) return
    process.kill(pid, signal)
    const deadline = performance.now() + ms
    while (performance.now() < deadline && !(await isGone())) await sleep(PAUSE_MS)
  }
}
