// The UUID of a file pool: written once, by whoever opens the pool first.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import { Unavailable } from '../volume/errors.ts'
import { encodePool, parsePool } from './file-documents.ts'

/** Throws Unavailable where there is no pool. */
export async function readUuid(files: HostFiles, pool: string, root: string): Promise<string> {
  const path = join(root, 'pool.json')
  const text = await files.read(path)
  if (text !== undefined) return parsePool(text, path).uuid
  throw new Unavailable({
    asked: `open pool ${pool}`,
    found: `there is no ${path}`,
    next: 'check the setting, and whether the filesystem of the pool is mounted',
  })
}

/** Of two processes that open a new pool at once, one gives it its UUID, and both read that. */
export async function ensureUuid(files: HostFiles, pool: string, root: string): Promise<string> {
  const path = join(root, 'pool.json')
  if ((await files.read(path)) === undefined) await files.createExclusive(path, encodePool({ uuid: randomUUID() }))
  return await readUuid(files, pool, root)
}
