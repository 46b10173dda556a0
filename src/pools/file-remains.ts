// Drafts and trash of the file pool: volumes, snapshots and groups that do not exist yet, or any more.
import { basename, join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import { VolumeInUse } from '../volume/errors.ts'
import { claimNames } from './file-claims.ts'
import type { Remains } from './pool.ts'

/** Of a process that died: a live one is done with them in milliseconds, or writes to the files in them. */
const STALE_MS = 600_000

/** Whole, or not finished. */
const DOCUMENT = /^(?:volume|modified|snapshot|group|pause)\.json(?:\.[0-9a-f]+\.tmp)?$/
const UNFINISHED = /^pool\.json\.[0-9a-f]+\.tmp$/
const DATA = /^data(?:\.[0-9a-f]+\.part|\.\d+)?$/

const FOLDERS = { drafts: 'draft', trash: 'trash' } as const

/** The bytes of a volume or snapshot, those of one in a group, or a copy of such that is under way. */
export function isData(name: string): boolean {
  return DATA.test(name)
}

/** Without what it occupies: nobody asks for that when it is swept. */
export type FileRemains = Omit<Remains, 'allocated'>

export async function listRemains(files: HostFiles, root: string): Promise<FileRemains[]> {
  const found: FileRemains[] = []
  for (const [folder, kind] of Object.entries(FOLDERS)) {
    for (const name of (await files.list(join(root, folder))) ?? []) {
      const path = join(root, folder, name)
      const changed = await lastChange(files, path)
      if (!changed) continue // gone meanwhile
      const claimed = (await claimNames(files, path)).length > 0
      found.push({ kind, path, changed, claimed, stale: Date.now() - changed.getTime() > STALE_MS && !claimed })
    }
  }
  return found
}

/** Of the folder, or of a copy that goes on in it, which may take hours. undefined when it is gone. */
export async function lastChange(files: HostFiles, path: string): Promise<Date | undefined> {
  const names = ((await files.list(path)) ?? []).filter(name => isData(name) && name !== 'data')
  const facts = await Promise.all([path, ...names.map(name => join(path, name))].map(each => files.facts(each)))
  const times = facts.flatMap(each => each?.modified.getTime() ?? [])
  return facts[0] && new Date(Math.max(...times))
}

/** Throws VolumeInUse unless it is stale. */
export async function discardStale(files: HostFiles, root: string, path: string): Promise<void> {
  const remains = (await listRemains(files, root)).find(each => each.path === path)
  if (remains?.stale === true) return await discard(files, path)
  if (!remains) return
  throw new VolumeInUse({
    asked: `remove ${path}`,
    found: remains.claimed ? `a node has a claim on ${basename(path)}` : 'somebody may still work on it',
    next: remains.claimed ? 'move it back to the volumes by hand' : 'wait ten minutes',
  })
}

export async function sweep(files: HostFiles, root: string): Promise<void> {
  for (const { path, stale } of await listRemains(files, root)) if (stale) await discard(files, path)
  // Of a process that was killed when it opened the new pool.
  for (const name of (await files.list(root)) ?? []) {
    const path = join(root, name)
    const changed = UNFINISHED.test(name) ? (await files.facts(path))?.modified : undefined
    if (changed && Date.now() - changed.getTime() > STALE_MS) await files.removeFile(path)
  }
}

/** Removes the files that this pool makes, and nothing else; never a folder with other content. */
export async function discard(files: HostFiles, folder: string): Promise<void> {
  const claims = join(folder, 'claims')
  for (const name of (await files.list(claims)) ?? []) await files.removeFile(join(claims, name))
  await files.removeDirectory(claims)
  const own = ((await files.list(folder)) ?? []).filter(name => isData(name) || DOCUMENT.test(name))
  for (const name of own) await files.removeFile(join(folder, name))
  await files.removeDirectory(folder)
}
