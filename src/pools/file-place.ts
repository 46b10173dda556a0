// Where a file pool is on its host, and how what it keeps there is named.
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import { underLock } from '../linux/flock.ts'
import { DriverError } from '../volume/errors.ts'
import { digest } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import type { SnapshotId, VolumeId } from '../volume/types.ts'
import { discard } from './file-remains.ts'

export interface Place {
  readonly host: Host
  /** Of the pool. */
  readonly name: string
  /** Its folder. */
  readonly root: string
  /** How often each byte may be promised. */
  readonly overcommit: number
}

/** A name in the pool that nobody else has. */
export function uniqueName(id: string): string {
  return `${id}.${randomBytes(6).toString('hex')}`
}

/** What is being copied: nobody reads it before it is renamed, and no two processes write to one. */
export function partName(): string {
  return `${uniqueName('data')}.part`
}

/** Fills a folder that shows nowhere, and removes it unless the work moved it to where it shows: then it answers true. */
export async function inDraft(
  { host, root }: Place,
  id: VolumeId | SnapshotId,
  work: (draft: string) => Promise<boolean>,
): Promise<boolean> {
  const draft = join(root, 'drafts', uniqueName(id))
  await host.files.makeDirectory(draft)
  let isMoved = false
  try {
    isMoved = await work(draft)
    return isMoved
  } finally {
    if (!isMoved) await discard(host.files, draft)
  }
}

/** The file of the kernel lock under which the rights on a volume change, or a copy to it or a snapshot is made. */
export function lockPath({ root }: Place, id: VolumeId | SnapshotId): string {
  return join(root, 'locks', digest(id))
}

/** Runs the work while no other process copies to this target. Throws OperationPending at once if one does. */
export async function copyAlone<T>(
  place: Place,
  target: VolumeId | SnapshotId,
  op: Op,
  work: () => Promise<T>,
): Promise<T> {
  const wish = { path: lockPath(place, target), isKept: async () => false, waitSeconds: 0 }
  return await underLock(place.host, wish, op, work)
}

/** As `lockPath` names them. */
const LOCK = /^[0-9a-f]{64}$/

/**
 * Removes the locks that a process left when it died, each while nobody has it. Those of these volumes stay: they go with
 * the volume, and over ssh each costs a round trip.
 */
export async function sweepLocks({ host, root }: Place, volumes: readonly VolumeId[], op: Op): Promise<void> {
  const folder = join(root, 'locks')
  const kept = new Set(volumes.map(id => digest(id)))
  const names = ((await host.files.list(folder)) ?? []).filter(name => LOCK.test(name) && !kept.has(name))
  for (const name of names) {
    const wish = { path: join(folder, name), isKept: async () => false, waitSeconds: 0 }
    try {
      await underLock(host, wish, op, async () => undefined)
    } catch (error) {
      // Somebody works under it now, or it cannot be had: neither keeps the driver from starting.
      if (!(error instanceof DriverError)) throw error
      op.log.info({ lock: wish.path, cause: error.message }, 'left as it is')
    }
  }
}
