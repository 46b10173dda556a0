// flock(1): a lock that lives exactly as long as the tool that runs under it, also when the driver is killed.
import { randomUUID } from 'node:crypto'
import { dirname } from 'node:path'
import type { Command, Host, HostFiles, Output } from '../host/host.ts'
import { CommandFailed, OperationPending, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

/** Exit code when another process keeps the lock; no tool that we run under it uses 75 (EX_TEMPFAIL, sysexits.h). */
const LOCK_HELD = 75
/** udev locks a device for a moment when it probes it; a tool that an earlier driver left behind keeps it for longer. */
const WAIT_SECONDS = 5

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

/**
 * Keeps an exclusive lock on a file, which is created if absent, across all processes of the host until the answered
 * function is called or this process ends. Throws OperationPending when another process keeps it.
 */
async function holdLock(host: Host, path: string, waitSeconds: number, op: Op): Promise<() => Promise<void>> {
  try {
    return await host.hold({ file: 'flock', args: [...locking(path, waitSeconds), 'cat'] }, op)
  } catch (error) {
    if (!(error instanceof CommandFailed && error.code === LOCK_HELD)) throw error
    throw new OperationPending({
      asked: `lock ${path}`,
      found: 'another process of the driver works on the same volume',
      next: 'call again when it is done',
    })
  }
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
 * afterwards unless it is to be kept. Throws OperationPending when another process keeps the lock.
 */
export async function underLock<T>(
  host: Host,
  { path, isKept, waitSeconds = WAIT_SECONDS }: LockWish,
  op: Op,
  work: () => Promise<T>,
): Promise<T> {
  const release = await holdFile(host, path, waitSeconds, op)
  try {
    return await work()
  } finally {
    if (!(await isKept())) await host.files.removeFile(path)
    await release()
  }
}

/** A lock is removed by whoever holds it: what another process waited for may then be nobody's any more. */
const LOCK_TRIES = 10

/**
 * Locks a file that is made for it. Its content is random: the same before and after the lock was had means that the file
 * was never removed in between, and so that it is the one that everybody else locks.
 */
async function holdFile(host: Host, path: string, waitSeconds: number, op: Op): Promise<() => Promise<void>> {
  const { files } = host
  for (let tries = 0; tries < LOCK_TRIES; tries += 1) {
    const before = (await files.read(path)) ?? (await makeLock(files, path))
    const release = await holdLock(host, path, waitSeconds, op)
    if (before !== undefined && (await files.read(path)) === before) return release
    await release()
  }
  throw new Unavailable({ asked: `lock ${path}`, found: 'it is removed again and again', next: 'call again' })
}

async function makeLock(files: HostFiles, path: string): Promise<string | undefined> {
  await files.makeDirectory(dirname(path))
  await files.createExclusive(path, `${randomUUID()}\n`)
  return await files.read(path)
}

function locking(path: string, waitSeconds = WAIT_SECONDS): string[] {
  const patience = ['--wait', String(waitSeconds), '--conflict-exit-code', String(LOCK_HELD)]
  return ['--exclusive', ...patience, '--no-fork', path]
}
