// Snapshots of the file pool: clones of data files where the filesystem can make them, copies of volumes at rest elsewhere.
//
//   <pool>/snapshots/<id>/data           the bytes; the snapshot is ready when they are there
//   <pool>/snapshots/<id>/data.*.part    a copy of them that goes on, or that a dead process left
//   <pool>/snapshots/<id>/snapshot.json  what CreateSnapshot fixed for ever; written once, never changed
import { join } from 'node:path'
import { cloneFile, copyFile } from '../linux/copy.ts'
import { syncFile } from '../linux/sync.ts'
import { copierTo } from '../volume/claim.ts'
import { EffectMissing, OperationPending, VolumeInUse } from '../volume/errors.ts'
import { encodeSnapshotId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import { originOf } from '../volume/origin.ts'
import type { Snapshot, SnapshotId, SnapshotSpec, VolumeId } from '../volume/types.ts'
import { allocatedRanges, changedRanges, type Still } from './file-changes.ts'
import type { Copies } from './file-copies.ts'
import { encodeSnapshot, parseSnapshot } from './file-documents.ts'
import { hold, requireHeld } from './file-hold.ts'
import { copyAlone, inDraft, type Place, partName, uniqueName } from './file-place.ts'
import { discard, isData } from './file-remains.ts'
import { requireFree, requireRoom } from './file-space.ts'
import type { Pool, RequireUnused, Snapshots } from './pool.ts'

/** What the copies of a pool are made with. */
export interface Workshop {
  readonly place: Place
  readonly pool: Pool
  readonly copies: Copies
  /** How long a call waits for a copy before it is answered that the copy goes on. */
  readonly patienceMs: { readonly snapshot: number; readonly volume: number }
}

export type FileSnapshots = Omit<Snapshots, 'createVolume'> & { pathOf(id: SnapshotId): string }

interface Task {
  readonly asked: string
  readonly wanted: SnapshotSpec
  readonly requireUnused: RequireUnused
}

/** Those that were cut alone. */
export function fileSnapshots(workshop: Workshop, seedOf: (name: string) => string): FileSnapshots {
  const { host, root, name } = workshop.place
  return {
    idFor: text => encodeSnapshotId(name, seedOf(text)),
    create: (wanted, requireUnused, op) => {
      const asked = `create snapshot ${wanted.id} of ${wanted.source}`
      return create(workshop, { asked, wanted, requireUnused }, op)
    },
    find: id => find(workshop.place, id),
    list: async () => (await host.files.list(join(root, 'snapshots'))) ?? [],
    delete: (id, op) => remove(workshop, id, op),
    allocated: (snapshot, from, op) => allocatedRanges(host, stillOf(workshop.place, snapshot), from, op),
    changed: (base, target, from, op) => {
      const files = { base: stillOf(workshop.place, base), target: stillOf(workshop.place, target) }
      return changedRanges(host, files, from, op)
    },
    pathOf: id => folderOf(workshop.place, id, 'data'),
  }
}

async function find(place: Place, id: SnapshotId): Promise<Snapshot | undefined> {
  const { files } = place.host
  const path = folderOf(place, id, 'snapshot.json')
  const [text, data] = await Promise.all([files.read(path), files.facts(folderOf(place, id, 'data'))])
  if (text === undefined) return undefined
  const { name, source, size, created, origin } = parseSnapshot(text, path)
  return {
    id,
    name,
    source,
    origin,
    pool: place.name,
    size: BigInt(size),
    created: BigInt(created),
    ready: data !== undefined,
  }
}

async function create(workshop: Workshop, task: Task, op: Op): Promise<Snapshot> {
  const { place, pool, copies, patienceMs } = workshop
  const { asked, wanted } = task
  const { id, source } = wanted
  const present = await find(place, id)
  if (present?.ready === true) await pool.release(present.source, copierTo(id)) // a crash may have left it
  if (present && (present.ready || present.source !== source)) return present
  const isCut = !present && (await clone(workshop, task, op))
  const cut = present ?? (await find(place, id))
  if (cut?.ready === true) return cut
  // Whoever deleted it was told that it is gone: another must not appear for a call from before that.
  if (isCut && !cut) throw new OperationPending({ asked, found: 'it was deleted meanwhile', next: 'call again' })
  try {
    const work = (own: Op) => copyAlone(place, id, own, () => copyAtRest(workshop, task, own))
    await copies.run({ asked, target: id, request: source, patienceMs: patienceMs.snapshot }, work, op)
  } catch (error) {
    // Another process copies.
    if (!(error instanceof OperationPending) || !(await find(place, id))) throw error
  }
  const found = await find(place, id)
  if (found) return found
  throw new OperationPending({ asked, found: 'it is not cut yet, or was deleted meanwhile', next: 'call again' })
}

/**
 * At one instant, also of a volume in use; makes nothing where the filesystem cannot do it. True when there is a snapshot
 * then: this one, or one that another process has cut in the meantime.
 */
async function clone({ place, pool }: Workshop, { asked, wanted }: Task, op: Op): Promise<boolean> {
  const { host } = place
  const origin = originOf(await pool.get(wanted.source))
  const { path } = await pool.backing(wanted.source)
  const occupied = (await host.files.facts(path))?.allocated ?? 0n
  await requireRoom(asked, place, occupied)
  let isCloned = false
  const isMade = await inDraft(place, wanted.id, async draft => {
    const data = join(draft, 'data')
    const created = now()
    isCloned = await cloneFile(host, path, data, op)
    if (!isCloned) return false
    await syncFile(host, data, op)
    const { size = 0n, allocated = 0n } = (await host.files.facts(data)) ?? {}
    const document = { ...wanted, size: String(size), occupied: String(allocated), created, origin }
    await host.files.createExclusive(join(draft, 'snapshot.json'), encodeSnapshot(document))
    await requireRoom(asked, place, 0n) // the draft is counted already
    return await host.files.rename(draft, folderOf(place, wanted.id))
  })
  if (isMade) op.log.info({ snapshot: wanted.id, volume: wanted.source }, 'snapshot cut')
  return isCloned
}

/** The volume is held from before the cut until its last byte is read, also by whoever goes on after a crash. */
async function copyAtRest(workshop: Workshop, task: Task, op: Op): Promise<void> {
  const { place, pool } = workshop
  const { asked, wanted } = task
  const { id, source } = wanted
  const before = await find(place, id)
  if (before && (before.ready || before.source !== source)) return
  const held = await hold(pool, asked, { source, target: id })
  try {
    if (!before) await cut(workshop, task, op)
    else if (held.isNew) {
      throw new VolumeInUse({
        asked,
        found: `${source} was given away before its bytes were copied: they are not what they were when it was cut`,
        next: 'delete the snapshot and cut another',
      })
    }
  } catch (error) {
    await pool.release(source, copierTo(id))
    throw error
  }
  const path = await copyBytes(workshop, task, op)
  await requireHeld(pool, asked, held)
  await place.host.files.rename(path, folderOf(place, id, 'data'))
  await pool.release(source, copierTo(id))
  op.log.info({ snapshot: id, volume: source }, 'snapshot complete')
}

/** From now on the snapshot exists. */
async function cut({ place, pool }: Workshop, { asked, wanted, requireUnused }: Task, op: Op): Promise<void> {
  const { files } = place.host
  await requireUnused()
  const volume = await pool.get(wanted.source)
  const occupied = (await files.facts((await pool.backing(wanted.source)).path))?.allocated ?? 0n
  await requireRoom(asked, place, occupied)
  await requireFree(asked, place, occupied)
  const origin = originOf(volume)
  const document = { ...wanted, size: String(volume.size), occupied: String(occupied), created: now(), origin }
  await inDraft(place, wanted.id, async draft => {
    await files.createExclusive(join(draft, 'snapshot.json'), encodeSnapshot(document))
    return await files.rename(draft, folderOf(place, wanted.id))
  })
  op.log.info({ snapshot: wanted.id, volume: wanted.source }, 'snapshot cut, its bytes are copied now')
}

/** Answers the file with all of them, durable. */
async function copyBytes({ place, pool }: Workshop, { asked, wanted }: Task, op: Op): Promise<string> {
  const { host } = place
  const folder = folderOf(place, wanted.id)
  const old = ((await host.files.list(folder)) ?? []).filter(name => isData(name) && name !== 'data')
  for (const name of old) await host.files.removeFile(join(folder, name))
  const part = join(folder, partName())
  await copyFile(host, (await pool.backing(wanted.source)).path, part, op)
  await syncFile(host, part, op)
  const [snapshot, copy] = await Promise.all([find(place, wanted.id), host.files.facts(part)])
  if (snapshot && snapshot.size === copy?.size) return part
  if (!snapshot) throw new OperationPending({ asked, found: 'it was deleted meanwhile', next: 'call again' })
  const found = `${copy?.size} of ${snapshot.size} bytes came`
  throw new EffectMissing({ asked, found, next: 'call again; delete the snapshot if that does not help' })
}

async function remove({ place, pool, copies }: Workshop, id: SnapshotId, op: Op): Promise<void> {
  const { files } = place.host
  await copies.stop(id)
  const snapshot = await find(place, id)
  if (!snapshot) return
  const trash = join(place.root, 'trash', uniqueName(id))
  await files.rename(folderOf(place, id), trash)
  await pool.release(snapshot.source, copierTo(id))
  await discard(files, trash)
  op.log.info({ snapshot: id }, 'snapshot deleted')
}

function stillOf(place: Place, { id, size }: Snapshot): Still {
  return { path: folderOf(place, id, 'data'), size }
}

function folderOf({ root }: Place, id: SnapshotId | VolumeId, ...more: string[]): string {
  return join(root, 'snapshots', id, ...more)
}

function now(): string {
  return String(BigInt(Date.now()) * 1_000_000n)
}
