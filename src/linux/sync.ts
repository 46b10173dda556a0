// Making writes durable: of one file, or of a mounted filesystem before it is unmounted.
import type { Command, Host, Output } from '../host/host.ts'
import type { Op } from '../volume/op.ts'

const SYNC_MS = 60_000
/** A copy of hundreds of gigabytes may still be in memory in large part. */
const FILE_MS = 3600_000

/** fsync(2) of a file. Throws CommandFailed when something of it was lost. */
export async function syncFile(host: Host, path: string, op: Op): Promise<void> {
  await sync(host, ['--', path], [0], { timeoutMs: FILE_MS, onAbort: 'kill' }, op)
}

/**
 * syncfs(2) of a mounted filesystem: the only step of an unmount that reports lost writes. Losses are logged as errors: the
 * data is gone whether or not the unmount goes on.
 */
export async function syncFilesystem(host: Host, path: string, op: Op): Promise<void> {
  const args = ['--file-system', '--', path]
  const { code, stderr } = await sync(host, args, [0, 1], { timeoutMs: SYNC_MS, onAbort: 'finish' }, op)
  if (code !== 0)
    op.log.error({ path, cause: stderr.trim() }, 'writes were lost: the filesystem could not be written back')
}

async function sync(
  host: Host,
  args: readonly string[],
  okCodes: readonly number[],
  end: Pick<Command, 'timeoutMs' | 'onAbort'>,
  op: Op,
): Promise<Output> {
  return await host.run({ file: 'sync', args, okCodes, ...end }, op)
}
