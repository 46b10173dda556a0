// flock(1): a lock that lives exactly as long as the tool that runs under it, also when the driver is killed.
import type { Command, Host, Output } from '../host/host.ts'
import { Unavailable } from '../volume/errors.ts'
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
  const lock = [
    '--exclusive',
    '--wait',
    String(WAIT_SECONDS),
    '--conflict-exit-code',
    String(LOCK_HELD),
    '--no-fork',
    path,
  ]
  const output = await host.run(
    {
      ...command,
      file: 'flock',
      args: [...lock, command.file, ...command.args],
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
