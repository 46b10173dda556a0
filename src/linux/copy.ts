// Copies of whole files: a clone, which shares its blocks and is made at one instant, and a sparse copy. cp is named here only.
import type { Host } from '../host/host.ts'
import { CommandFailed, type DriverError, PoolFull } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

/** A clone copies extents, not bytes; of a file in a million pieces that takes minutes. */
const CLONE_MS = 600_000
/** Whoever wants it ends it sooner. */
const COPY_MS = 24 * 3600_000

/** Whatever went wrong. */
const FAILED = 1
/** Of ioctl_ficlone(2): another filesystem, one that cannot, or two files that cannot share. */
const CANNOT =
  /: (?:Operation not supported|Invalid cross-device link|Inappropriate ioctl for device|Invalid argument)$/m
const FULL = /: (?:No space left on device|Disk quota exceeded)$/m

/**
 * FICLONE: the kernel writes back what is dirty, waits for direct I/O that is under way, and lets nobody write until the
 * new file has all extents. So it is a point in time also while the file is written. False where files cannot be cloned.
 */
export async function cloneFile(host: Host, from: string, to: string, op: Op): Promise<boolean> {
  const complaint = await copy(host, ['--reflink=always', '--', from, to], CLONE_MS, op)
  if (complaint === undefined) return true
  if (CANNOT.test(complaint)) return false
  throw failed(`clone ${from} as ${to}`, complaint)
}

/** Byte by byte, holes left out. Only of a file that nobody writes. Throws PoolFull. */
export async function copyFile(host: Host, from: string, to: string, op: Op): Promise<void> {
  const complaint = await copy(host, ['--reflink=never', '--sparse=always', '--', from, to], COPY_MS, op)
  if (complaint !== undefined) throw failed(`copy ${from} to ${to}`, complaint)
}

/** Answers what cp complained of. */
async function copy(host: Host, args: readonly string[], timeoutMs: number, op: Op): Promise<string | undefined> {
  const { code, stderr } = await host.run({ file: 'cp', args, okCodes: [0, FAILED], timeoutMs, onAbort: 'kill' }, op)
  return code === 0 ? undefined : stderr.trim()
}

function failed(asked: string, complaint: string): DriverError {
  if (FULL.test(complaint))
    return new PoolFull({ asked, found: 'the filesystem of the pool is full', next: 'make room, and call again' })
  return new CommandFailed({ asked, found: complaint, next: 'see the log', code: FAILED })
}
