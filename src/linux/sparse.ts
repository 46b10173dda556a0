// Sparse files: do they hold data, and how to lengthen one without ever shortening it.
import type { Host } from '../host/host.ts'
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
