// flock(1): a lock that lives exactly as long as the tool that runs under it, also when the driver is killed.
import { dirname } from 'node:path'
import type { Command, Host, Output } from '../host/host.ts'
import { CommandFailed, OperationPending, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

/** Exit code when another process keeps the lock; no tool that we run under it uses 75 (EX_TEMPFAIL, sysexits.h). */
const LOCK_HELD = 75
/** Of our own: the lock was had, but on a file that is not at its path any more. */
const LOCK_MOVED = 76
/** udev locks a device for a moment when it probes it; a tool that an earlier driver left behind keeps it for longer. */
const WAIT_SECONDS = 5
/** Beyond its wait, a lock whose file's disk answers is there within this, also on a machine that is under load. */
const START_SECONDS = 10

/**
 * Runs the command under an exclusive lock on a file or device. flock replaces itself by the tool (--no-fork), so the
 * lock ends with the tool, and its exit code passes through. Throws Unavailable when another process keeps the lock.
 */
export async function runLocked(host: Host, path: string, command: Command, op: Op): Promise<Output> {
  const output = await host.run(
    {
      ...command,
      file: 'flock',
      args: [...locking(path), command.file, ...command.args],
      okCodes: [...(command.okCodes ?? [0]), LOCK_HELD],
      timeoutMs: command.timeoutMs + WAIT_SECONDS * 1000,
    },
    op,
  )
  if (output.code !== LOCK_HELD) return output
  throw new Unavailable({
    asked: `run ${command.file} on ${path}`,
    found: 'another tool holds its lock, perhaps one that an earlier driver started',
    next: 'call again when it has ended',
  })
}

export interface LockWish {
  readonly path: string
  /** After the work; asked under the lock. */
  readonly isKept: () => Promise<boolean>
  /** 0: whoever has the lock keeps it for long. */
  readonly waitSeconds?: number
}

/**
 * Runs the work under an exclusive lock across all processes of the host, on a file that is made for it and removed
 * afterwards unless it is to be kept. Throws OperationPending when another process keeps the lock, and Unavailable when
 * the lock had ended before the work did. What the work throws itself comes first.
 */
export async function underLock<T>(host: Host, wish: LockWish, op: Op, work: () => Promise<T>): Promise<T> {
  const { path, waitSeconds = WAIT_SECONDS } = wish
  const release = await holdFile(host, path, waitSeconds, op)
  let isDone = false
  try {
    const result = await work()
    isDone = true
    return result
  } finally {
    await removeUnlessKept(host, wish, op)
    await release().catch((error: unknown) => {
      if (isDone) throw error
      op.log.warn({ lock: path, cause: String(error) }, 'a lock ended before the work that needed it')
    })
  }
}

/** A file that stays is taken by the next one; a lock that stays would keep everybody away. */
async function removeUnlessKept(host: Host, { path, isKept }: LockWish, op: Op): Promise<void> {
  try {
    if (!(await isKept())) await host.files.removeFile(path)
  } catch (error) {
    op.log.warn({ lock: path, cause: String(error) }, 'the file of a lock stays')
  }
}

/**
 * Each try that fails is one in which somebody else had the lock and removed it: many may want it at once, but not for ever.
 */
const LOCK_TRIES = 100

/**
 * Keeps an exclusive lock on a file, which is created if absent, across all processes of the host until the answered
 * function is called or this process ends. Throws OperationPending when another process keeps it.
 */
async function holdFile(host: Host, path: string, waitSeconds: number, op: Op): Promise<() => Promise<void>> {
  await host.files.makeDirectory(dirname(path))
  const args = [...locking(path, waitSeconds), ...proving(path)]
  const command = { file: 'flock', args, timeoutMs: (waitSeconds + START_SECONDS) * 1000 }
  for (let tries = 0; tries < LOCK_TRIES; tries += 1) {
    try {
      return await host.hold(command, op)
    } catch (error) {
      if (error instanceof CommandFailed && error.code === LOCK_MOVED) continue
      if (!(error instanceof CommandFailed && error.code === LOCK_HELD)) throw error
      throw new OperationPending({
        asked: `lock ${path}`,
        found: 'another process of the driver works on the same volume',
        next: 'call again when it is done',
      })
    }
  }
  throw new Unavailable({ asked: `lock ${path}`, found: 'it is removed again and again', next: 'call again' })
}

/**
 * Whoever holds a lock removes its file: what another process waited for may then be nobody's any more. So the lock
 * counts only if the file that flock has open is the one at the path; only its holder could remove it from there.
 */
function proving(path: string): string[] {
  return [
    'sh',
    '-c',
    `for each in /proc/self/fd/*; do [ "$each" -ef "$0" ] && exec cat; done; exit ${LOCK_MOVED}`,
    path,
  ]
}

function locking(path: string, waitSeconds = WAIT_SECONDS): string[] {
  const patience = ['--wait', String(waitSeconds), '--conflict-exit-code', String(LOCK_HELD)]
  return ['--exclusive', ...patience, '--no-fork', path]
}
