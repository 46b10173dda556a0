// xfs_io(8): several reads, seeks or writes in one process, on any filesystem or device.
import type { Command, Host } from '../host/host.ts'
import { CommandFailed, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

export interface Question {
  readonly path: string
  /** Go past the page cache. */
  readonly direct: boolean
  readonly commands: readonly string[]
}

const TOOL_MS = 30_000

/** What it printed; its exit code tells only of the last command, so the caller looks for the answer to each. */
export async function askXfsIo(host: Host, question: Question, op: Op): Promise<string> {
  return await runXfsIo(host, question, { flags: ['-r'], onAbort: 'kill' }, op)
}

/** For commands that write; the caller reads back what it wrote. */
export async function writeXfsIo(host: Host, question: Question, op: Op): Promise<void> {
  await runXfsIo(host, question, { flags: [], onAbort: 'finish' }, op)
}

async function runXfsIo(
  host: Host,
  { path, direct, commands }: Question,
  { flags, onAbort }: { flags: string[]; onAbort: Command['onAbort'] },
  op: Op,
): Promise<string> {
  const args = [...flags, ...(direct ? ['-d'] : []), ...commands.flatMap(command => ['-c', command]), path]
  try {
    return (await host.run({ file: 'xfs_io', args, timeoutMs: TOOL_MS, onAbort }, op)).stdout
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    throw new Unavailable(
      { asked: `reach ${path}`, found: error.message, next: 'check the device or file' },
      { cause: error },
    )
  }
}
