// Catches a mkfs that the driver started, so that a test can look at the driver, or end it, while mkfs runs.
import { readFileSync } from 'node:fs'
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

/** Stages new volumes until the mkfs of one could be stopped (SIGSTOP): some end before they are seen. */
export const stopMkfs = async (bench: Bench, as: 'ext4' | 'xfs'): Promise<StoppedStage> => {
  for (let tries = 0; tries < 20; tries += 1) {
    const volume = bench.volume({ as, size: 8 * GIB }) // large: its mkfs takes longer
    await volume.create()
    await volume.publish()
    let done = false
    const staging = volume.stage().finally(() => {
      done = true
    })
    staging.catch(() => undefined) // the test looks at it, or the driver was killed
    while (!done) {
      const [pid] = findProcesses(/^mkfs\./, volume.device)
      if (pid === undefined) await setImmediate()
      else if (await stopped(pid)) {
        const mkfs = handle(pid)
        bench.defer(mkfs.kill) // a stopped process would outlive the test
        return { volume, staging, mkfs }
      } else break
    }
    await staging
  }
  throw new Error('no mkfs could be stopped in 20 attempts')
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
