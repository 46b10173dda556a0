// xfs_io(8): several reads or seeks in one process, on any filesystem or device.
import type { Host } from '../host/host.ts'
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
export async function askXfsIo(host: Host, { path, direct, commands }: Question, op: Op): Promise<string> {
  const args = ['-r', ...(direct ? ['-d'] : []), ...commands.flatMap(command => ['-c', command]), path]
  try {
    return (await host.run({ file: 'xfs_io', args, timeoutMs: TOOL_MS, onAbort: 'kill' }, op)).stdout
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    throw new Unavailable(
      { asked: `read ${path}`, found: error.message, next: 'check the device or file' },
      { cause: error },
    )
  }
}
