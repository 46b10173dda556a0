// Catches a mkfs that the driver started, so that a test can look at the driver, or end it, while mkfs runs.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import type { Bench } from './harness.ts'
import { findProcesses } from './machine.ts'
import { GIB, type TestVolume } from './volume.ts'

export interface StoppedMkfs {
  resume: () => void
  /** SIGKILL, as a power cut ends it; answers when it is gone. */
  kill: () => Promise<void>
  /** Answers when it has ended. */
  gone: () => Promise<void>
}

export interface StoppedStage {
  /** Created and published. */
  volume: TestVolume
  /** The NodeStageVolume that waits for mkfs. */
  staging: Promise<unknown>
  mkfs: StoppedMkfs
}

/** One of T (stopped), Z (ended) and others: proc(5), /proc/pid/stat. */
const stateOf = (pid: number): string | undefined => {
  try {
    return /\) (\S)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
  } catch {
    return undefined
  }
}

const hasEnded = (pid: number): boolean => ['Z', 'X', undefined].includes(stateOf(pid))

const gone = async (pid: number): Promise<void> => {
  while (!hasEnded(pid)) await setImmediate()
}

/** Has it opened the device for writing, and so taken it for itself (both mkfs open with O_EXCL)? */
export const holdsDevice = (pid: number, { device }: TestVolume): boolean => {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(
      fd =>
        readlinkSync(`/proc/${pid}/fd/${fd}`) === device &&
        /^flags:\s+\d*2$/m.test(readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8')), // O_RDWR, octal
    )
  } catch {
    return false // it has ended
  }
}

/** Has it begun to write? */
export const hasWritten = (_pid: number, { data }: TestVolume): boolean => statSync(data).blocks > 0

/** Stages new volumes until the mkfs of one could be stopped (SIGSTOP) at the wanted point: some end before. */
export const stopMkfs = async (
  bench: Bench,
  as: 'ext4' | 'xfs',
  wanted: (pid: number, volume: TestVolume) => boolean = holdsDevice,
  attempts = 50,
): Promise<StoppedStage> => {
  for (let tries = 0; tries < attempts; tries += 1) {
    const volume = bench.volume({ as, size: 8 * GIB }) // large: its mkfs takes longer
    await volume.create()
    await volume.publish()
    const call = { done: false }
    const staging = volume.stage().finally(() => {
      call.done = true
    })
    staging.catch(() => undefined) // the test looks at it, or the driver was killed
    while (!call.done) {
      const [pid] = findProcesses(/^mkfs\./, volume.device)
      if (pid !== undefined && (await stopAt(pid, () => wanted(pid, volume)))) {
        const mkfs = handle(pid)
        bench.defer(mkfs.kill) // a stopped process would outlive the test
        return { volume, staging, mkfs }
      }
      await setImmediate()
    }
    await staging
  }
  throw new Error(`no mkfs could be stopped in ${attempts} attempts`)
}

/** Lets the process go on in the smallest steps there are. */
const stopAt = async (pid: number, wanted: () => boolean): Promise<boolean> => {
  while (await stopped(pid)) {
    if (wanted()) return true
    process.kill(pid, 'SIGCONT')
  }
  return false
}

const stopped = async (pid: number): Promise<boolean> => {
  try {
    process.kill(pid, 'SIGSTOP')
  } catch {
    return false // it ended between the look and the signal
  }
  while (!hasEnded(pid)) {
    if (stateOf(pid) === 'T') return true
    await setImmediate()
  }
  return false
}

const handle = (pid: number): StoppedMkfs => ({
  resume: () => process.kill(pid, 'SIGCONT'),
  kill: async () => {
    if (hasEnded(pid)) return
    process.kill(pid, 'SIGKILL')
    await gone(pid)
  },
  gone: async () => await gone(pid),
})
