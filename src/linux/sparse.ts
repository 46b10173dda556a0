// Sparse files: do they hold data, is there room for more, and how to lengthen one without ever shortening it.
import { dirname } from 'node:path'
import type { Host } from '../host/host.ts'
import { GIB } from '../volume/capacity.ts'
import { EffectMissing } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes } from '../volume/types.ts'
import { askXfsIo } from './xfs-io.ts'

const TOOL_MS = 30_000
const TAIL = 4096n

/** Is there any data extent (SEEK_DATA, lseek(2))? Allocated but never written ranges count as holes. */
export async function holdsData(host: Host, path: string, op: Op): Promise<boolean> {
  const stdout = await askXfsIo(host, { path, direct: false, commands: ['seek -d 0'] }, op)
  const answer = /^DATA\s+(\S+)$/m.exec(stdout)?.[1]
  if (answer === undefined)
    throw new EffectMissing({
      asked: `look for data in ${path}`,
      found: `xfs_io printed "${stdout.trim()}"`,
      next: 'check the version of xfsprogs',
    })
  return answer !== 'EOF'
}

/**
 * Lengthens a file. Truncating would do the same, but of two racing processes the later could shorten what the earlier
 * lengthened, and cut off data; allocating the last page never does.
 */
export async function lengthenFile(host: Host, path: string, to: Bytes, op: Op): Promise<void> {
  await host.run(
    {
      file: 'fallocate',
      args: ['--offset', String(to - TAIL), '--length', String(TAIL), '--', path],
      timeoutMs: TOOL_MS,
      onAbort: 'finish',
    },
    op,
  )
  const size = (await host.files.facts(path))?.size ?? 0n
  if (size < to)
    throw new EffectMissing({ asked: `lengthen ${path} to ${to} bytes`, found: `it has ${size}`, next: 'see the log' })
}

/** Below this share of a filesystem, or this many bytes, writes into holes of its files are about to fail. */
const FULL = { share: 100n, bytes: GIB }

/** What is wrong with a file that should have this many bytes, in words; for the volume condition. */
export async function troublesOfFile(host: Host, path: string, size: Bytes): Promise<string[]> {
  const file = await host.files.facts(path)
  if (!file) return [`its file ${path} is gone`]
  const { total, available } = await host.files.space(dirname(path))
  const isFull = available < total / FULL.share && available < FULL.bytes && file.allocated < size
  return [
    ...(file.size < size ? [`its file was truncated to ${file.size} bytes, it should have ${size}`] : []),
    ...(isFull ? [`the filesystem of its pool is full: ${available} of ${total} bytes are left`] : []),
  ]
}

/** Gives every byte of a file back to the filesystem; it keeps its size and reads as zeros. */
export async function punchWhole(host: Host, path: string, size: Bytes, op: Op): Promise<void> {
  const args = ['--punch-hole', '--offset', '0', '--length', String(size), '--', path]
  await host.run({ file: 'fallocate', args, timeoutMs: TOOL_MS, onAbort: 'finish' }, op)
  if (await holdsData(host, path, op))
    throw new EffectMissing({ asked: `empty ${path}`, found: 'it still holds data', next: 'see the log; call again' })
}
