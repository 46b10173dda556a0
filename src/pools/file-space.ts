// What the volumes of the file pool take: promised and real.
import { join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import type { Bytes } from '../volume/types.ts'

/** Bytes promised to volumes and drafts, and bytes that they occupy. */
export async function spaceTaken(files: HostFiles, root: string): Promise<{ promised: Bytes; allocated: Bytes }> {
  const folders = await Promise.all(
    ['volumes', 'drafts'].map(async folder => {
      const names = (await files.list(join(root, folder))) ?? []
      return names.map(name => join(root, folder, name, 'data'))
    }),
  )
  const facts = await Promise.all(folders.flat().map(path => files.facts(path)))
  return facts.reduce(
    (sum, each) => ({
      promised: sum.promised + (each?.size ?? 0n),
      allocated: sum.allocated + (each?.allocated ?? 0n),
    }),
    { promised: 0n, allocated: 0n },
  )
}
