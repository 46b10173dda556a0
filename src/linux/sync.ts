// syncfs(2): the only step of an unmount that reports lost writes.
import type { Host } from '../host/host.ts'
import type { Op } from '../volume/op.ts'

const SYNC_MS = 60_000

/** Writes back a mounted filesystem. Losses are logged as errors: the data is gone whether or not the unmount goes on. */
export async function syncFilesystem(host: Host, path: string, op: Op): Promise<void> {
  const { code, stderr } = await host.run(
    { file: 'sync', args: ['--file-system', '--', path], okCodes: [0, 1], timeoutMs: SYNC_MS, onAbort: 'finish' },
    op,
  )
  if (code !== 0)
    op.log.error({ path, cause: stderr.trim() }, 'writes were lost: the filesystem could not be written back')
}
