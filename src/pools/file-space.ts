// What the volumes and snapshots of the file pool take, promised and real, and what is left.
import { join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import { PoolFull } from '../volume/errors.ts'
import type { Bytes } from '../volume/types.ts'
import { parseSnapshot } from './file-documents.ts'
import type { Place } from './file-place.ts'
import { isData } from './file-remains.ts'
import type { Room } from './pool.ts'

interface Taken {
  readonly promised: Bytes
  readonly allocated: Bytes
}

export async function roomOf(place: Place): Promise<Room> {
  return (await look(place)).room
}

/** Throws PoolFull unless so many bytes more may be promised. */
export async function requireRoom(asked: string, place: Place, more: Bytes): Promise<void> {
  const { taken, room } = await look(place)
  if (taken.promised + more <= room.total) return
  throw new PoolFull({
    asked,
    found: `pool ${place.name} may promise ${room.total} bytes in all, ${taken.promised + more} would be promised`,
    next: 'delete volumes or snapshots, enlarge the filesystem of the pool, or raise its overcommit',
  })
}

/** A copy that shares nothing takes its bytes at once, whatever was promised. Throws PoolFull. */
export async function requireFree(asked: string, { host, name, root }: Place, bytes: Bytes): Promise<void> {
  const { available } = await host.files.space(root)
  if (bytes <= available) return
  const found = `the copy takes ${bytes} bytes, and the filesystem of pool ${name} has ${available} left`
  throw new PoolFull({ asked, found, next: 'delete volumes or snapshots, or enlarge the filesystem of the pool' })
}

async function look({ host, root, overcommit }: Place): Promise<{ taken: Taken; room: Room }> {
  const taken = await spaceTaken(host.files, root)
  const { total: size, available } = await host.files.space(root)
  // What the filesystem could hold if the pool were empty. Blocks that files share are counted in each of them.
  const whole = available + taken.allocated
  const capacity = whole < size ? whole : size
  const total = (capacity * BigInt(Math.round(overcommit * 1000))) / 1000n
  const { promised } = taken
  const room = { total, available: total > promised ? total - promised : 0n, promised, size, free: available }
  return { taken, room }
}

/** Bytes promised to volumes, snapshots, groups and drafts of them, and bytes that they occupy. */
async function spaceTaken(files: HostFiles, root: string): Promise<Taken> {
  const below = async (folder: string) =>
    ((await files.list(join(root, folder))) ?? []).map(name => ({ name, path: join(root, folder, name) }))
  const folders = ['volumes', 'snapshots', 'groups', 'drafts']
  const [volumes, snapshots, groups, drafts] = await Promise.all(folders.map(below))
  const each = await Promise.all([
    ...(volumes ?? []).map(({ path }) => takenByVolume(files, path)),
    ...(drafts ?? []).map(({ name, path }) => takenAs(name)(files, path)),
    ...(snapshots ?? []).map(({ path }) => takenBySnapshot(files, path)),
    ...(groups ?? []).map(({ path }) => takenByGroup(files, path)),
  ])
  return each.reduce(
    (sum, { promised, allocated }) => ({ promised: sum.promised + promised, allocated: sum.allocated + allocated }),
    { promised: 0n, allocated: 0n },
  )
}

/** By a draft of this name. */
function takenAs(name: string): (files: HostFiles, path: string) => Promise<Taken> {
  if (name.startsWith('group-')) return takenByGroup
  return name.startsWith('snap-') ? takenBySnapshot : takenByDraft
}

/** A volume may come to occupy all of its size. */
async function takenByVolume(files: HostFiles, path: string): Promise<Taken> {
  const data = await files.facts(join(path, 'data'))
  return { promised: data?.size ?? 0n, allocated: data?.allocated ?? 0n }
}

/** Beside the file that stands for its size there may be the copy that is to take its place. */
async function takenByDraft(files: HostFiles, path: string): Promise<Taken> {
  const { promised } = await takenByVolume(files, path)
  return { promised, allocated: await allocatedIn(files, path) }
}

/** A snapshot never occupies more than what the volume did when it was cut. */
async function takenBySnapshot(files: HostFiles, path: string): Promise<Taken> {
  const data = await files.facts(join(path, 'data'))
  if (data) return { promised: data.allocated, allocated: data.allocated }
  const record = join(path, 'snapshot.json')
  const text = await files.read(record)
  const promised = text === undefined ? 0n : BigInt(parseSnapshot(text, record).occupied)
  return { promised, allocated: await allocatedIn(files, path) }
}

/** As a snapshot that is complete. */
async function takenByGroup(files: HostFiles, path: string): Promise<Taken> {
  const allocated = await allocatedIn(files, path)
  return { promised: allocated, allocated }
}

/** Also of copies that are under way. */
export async function allocatedIn(files: HostFiles, path: string): Promise<Bytes> {
  const names = ((await files.list(path)) ?? []).filter(isData)
  const facts = await Promise.all(names.map(name => files.facts(join(path, name))))
  return facts.reduce((sum, each) => sum + (each?.allocated ?? 0n), 0n)
}
