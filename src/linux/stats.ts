// Usage of a mounted filesystem, asked in a child process: statfs on a dead device can hang for ever.
import type { Host } from '../host/host.ts'
import { CommandFailed, EffectMissing, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes } from '../volume/types.ts'

export interface Usage {
  readonly total: bigint
  readonly used: bigint
  readonly available: bigint
}

export interface FilesystemUsage {
  /** Bytes. */
  readonly bytes: { total: Bytes; used: Bytes; available: Bytes }
  readonly inodes: Usage
}

/** kubelet waits two minutes, but calls every minute: an answer must come well before the next question. */
const STATFS_MS = 5_000

/** Throws Unavailable when the filesystem does not answer in time. */
export async function readUsage(host: Host, path: string, op: Op): Promise<FilesystemUsage> {
  const asked = `read the usage of ${path}`
  try {
    const { stdout } = await host.run(
      {
        file: 'stat',
        args: ['--file-system', '--format', '%S %b %f %a %c %d', '--', path],
        timeoutMs: STATFS_MS,
        onAbort: 'kill',
      },
      op,
    )
    if (!/^\d+( \d+){5}\n$/.test(stdout))
      throw new EffectMissing({
        asked,
        found: `stat printed "${stdout.trim()}"`,
        next: 'check the version of coreutils',
      })
    const [unit = 0n, blocks = 0n, free = 0n, available = 0n, inodes = 0n, freeInodes = 0n] = stdout
      .trim()
      .split(' ')
      .map(BigInt)
    return {
      bytes: { total: blocks * unit, used: (blocks - free) * unit, available: available * unit },
      inodes: { total: inodes, used: inodes - freeInodes, available: freeInodes },
    }
  } catch (error) {
    if (error instanceof CommandFailed)
      throw new Unavailable(
        { asked, found: error.message, next: 'check the device below the filesystem' },
        { cause: error },
      )
    throw error
  }
}
