// Volumes of the file pool that begin with the bytes of a snapshot or of another volume.
import { join } from 'node:path'
import { cloneFile, copyFile } from '../linux/copy.ts'
import { readSignatures } from '../linux/format.ts'
import { isBlankFile } from '../linux/format-marker.ts'
import { lengthenFile } from '../linux/sparse.ts'
import { syncFile } from '../linux/sync.ts'
import { copierTo } from '../volume/claim.ts'
import { OperationPending, SnapshotNotFound, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { contentOf, originOf } from '../volume/origin.ts'
import type { Bytes, Origin, Snapshot, SnapshotId, Volume } from '../volume/types.ts'
import { encodeVolume } from './file-documents.ts'
import { hold, requireHeld } from './file-hold.ts'
import { copyAlone, inDraft, partName } from './file-place.ts'
import type { Workshop } from './file-snapshots.ts'
import { requireFree, requireRoom } from './file-space.ts'
import type { CopySpec, RequireUnused } from './pool.ts'

export interface Restorer extends Workshop {
  findSnapshot(id: SnapshotId): Promise<Snapshot | undefined>
  snapshotPath(id: SnapshotId): string
}

interface Task {
  readonly asked: string
  readonly spec: CopySpec
  readonly size: Bytes
  readonly requireUnused: RequireUnused
}

/** Where the bytes are now, and of which volume they are. */
interface Source {
  readonly path: string
  readonly origin: Origin
}

export async function createFrom(restorer: Restorer, task: Omit<Task, 'asked'>, op: Op): Promise<Volume> {
  const { pool, copies, patienceMs } = restorer
  const { spec, size } = task
  const existing = await pool.find(spec.id)
  if (existing) return existing
  const asked = `create ${spec.id} with the bytes of ${spec.contentSource.id}`
  const request = JSON.stringify([spec, String(size)])
  const wanted = { asked, target: spec.id, request, patienceMs: patienceMs.volume }
  const isDone = await copies.run(wanted, own => make(restorer, { ...task, asked }, own), op)
  if (isDone) return await pool.get(spec.id)
  throw new OperationPending({ asked, found: 'its bytes are still being copied', next: 'call again; the copy goes on' })
}

async function make(restorer: Restorer, task: Task, op: Op): Promise<void> {
  const { place, pool } = restorer
  const { asked, spec } = task
  const source = await locate(restorer, task)
  if (await fill(restorer, task, source, part => cloneFile(place.host, source.path, part, op), op)) return
  const work = async () => {
    if (await pool.find(spec.id)) return
    const occupied = (await place.host.files.facts(source.path))?.allocated ?? 0n
    await requireFree(asked, place, occupied)
    if (spec.contentSource.kind === 'snapshot') await copyTo(restorer, task, source, async () => undefined, op)
    else await copyHeld(restorer, task, source, op)
  }
  await copyAlone(place, spec.id, op, work)
}

async function copyHeld(restorer: Restorer, task: Task, source: Source, op: Op): Promise<void> {
  const { pool } = restorer
  const { asked, spec, requireUnused } = task
  const held = await hold(pool, asked, { source: source.origin.volume, target: spec.id })
  try {
    await requireUnused()
    await copyTo(restorer, task, source, () => requireHeld(pool, asked, held), op)
  } finally {
    await pool.release(held.source, copierTo(held.target))
  }
}

async function copyTo(restorer: Restorer, task: Task, source: Source, confirm: () => Promise<void>, op: Op) {
  const copy = async (part: string) => {
    await copyFile(restorer.place.host, source.path, part, op)
    await confirm()
    return true
  }
  await fill(restorer, task, source, copy, op)
}

async function locate({ pool, findSnapshot, snapshotPath }: Restorer, { asked, spec }: Task): Promise<Source> {
  const { kind, id } = spec.contentSource
  if (kind === 'volume') return { path: (await pool.backing(id)).path, origin: originOf(await pool.get(id)) }
  const snapshot = await findSnapshot(id)
  if (snapshot?.ready === true) return { path: snapshotPath(id), origin: snapshot.origin }
  if (!snapshot)
    throw new SnapshotNotFound({ asked, found: `there is no snapshot ${id}`, next: 'check the id of the snapshot' })
  throw new Unavailable({ asked, found: 'the snapshot is not ready to use', next: 'call again when it is' })
}

/** Makes the volume of what `copy` writes to a file; false, and nothing is made, if that answers false. */
async function fill(
  { place, pool }: Restorer,
  { asked, spec, size }: Task,
  source: Source,
  copy: (part: string) => Promise<boolean>,
  op: Op,
): Promise<boolean> {
  const { host } = place
  await requireRoom(asked, place, size)
  const isMade = await inDraft(place, spec.id, async draft => {
    // Stands for the size until the copy takes its place, so that nobody is promised the same bytes.
    await host.files.createSparse(join(draft, 'data'), size)
    await requireRoom(asked, place, 0n)
    const part = join(draft, partName())
    if (!(await copy(part))) return false
    const from = await adopt(place, { part, data: join(draft, 'data'), spec, size, asked }, source, op)
    await host.files.makeDirectory(join(draft, 'claims'))
    await host.files.createExclusive(
      join(draft, 'volume.json'),
      encodeVolume({ ...spec, ...from, createdSize: String(size) }),
    )
    return await host.files.rename(draft, join(place.root, 'volumes', spec.id))
  })
  if (isMade) op.log.info({ volume: spec.id, from: spec.contentSource.id, size: String(size) }, 'volume created')
  // Another process may have made it in the meantime.
  return isMade || (await pool.find(spec.id)) !== undefined
}

interface Part {
  readonly asked: string
  readonly part: string
  readonly data: string
  readonly spec: CopySpec
  readonly size: Bytes
}

/**
 * Makes the copy the data of the volume. Of a source that held no data the volume begins blank, and is formatted by itself:
 * the mark of the source's unfinished format must never be in a volume that may come to hold data.
 */
async function adopt(
  { host }: Restorer['place'],
  { asked, part, data, spec, size }: Part,
  { origin }: Source,
  op: Op,
): Promise<{ contentFrom?: string; contentUuid?: string }> {
  const copied = (await host.files.facts(part))?.size ?? 0n
  if (copied > size) {
    const found = `its source has ${copied} bytes by now, ${size} were asked for`
    throw new OperationPending({ asked, found, next: 'call again with the size that it has now' })
  }
  if (await isBlankFile(host, { path: part, size: copied }, origin.volume, op)) {
    await host.files.removeFile(part)
    return {}
  }
  if (copied < size) await lengthenFile(host, part, size, op)
  await syncFile(host, part, op)
  const isMounted = spec.capabilities.some(({ access }) => access === 'mount')
  const uuid = isMounted ? (await readSignatures(host, part, op)).tags['UUID'] : undefined
  await host.files.rename(part, data)
  return isMounted ? contentOf(origin, uuid) : {}
}
