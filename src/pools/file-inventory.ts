// What lies in the folder of a file pool, whatever state it is in: for whoever looks for trouble.
import { join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import { DriverError } from '../volume/errors.ts'
import type { Claim, GroupId, SnapshotId, VolumeId } from '../volume/types.ts'
import {
  parseClaim,
  parseGroup,
  parseModified,
  parseSnapshot,
  parseVolume,
  type VolumeDocument,
} from './file-documents.ts'
import { dataIn, groupOf } from './file-groups.ts'
import { lastChange, listRemains } from './file-remains.ts'
import { allocatedIn } from './file-space.ts'
import type { Inventory, KeptGroup, KeptSnapshot, KeptVolume, Unreadable } from './pool.ts'

/** What a killed process leaves of a document that it was writing: src/host/local-files.ts. */
const DRAFT = /\.[0-9a-f]{12}\.tmp$/

/** Changes nothing. What vanishes while it is looked at is left out. */
export async function takeInventory(files: HostFiles, pool: string, root: string): Promise<Inventory> {
  const names = (await files.list(join(root, 'volumes'))) ?? []
  const volumes: KeptVolume[] = []
  for (const id of names) {
    const kept = await keptVolume(files, pool, id, join(root, 'volumes', id))
    if (kept) volumes.push(kept)
  }
  const cut = (await files.list(join(root, 'snapshots'))) ?? []
  const snapshots: KeptSnapshot[] = []
  for (const id of cut) {
    const kept = await keptSnapshot(files, pool, id, join(root, 'snapshots', id))
    if (kept) snapshots.push(kept)
  }
  const groups: KeptGroup[] = []
  for (const id of (await files.list(join(root, 'groups'))) ?? []) {
    const kept = await keptGroup(files, pool, id, join(root, 'groups', id))
    if (kept) groups.push(kept)
  }
  const remains = await listRemains(files, root)
  const sizes = await Promise.all(remains.map(({ path }) => allocatedIn(files, path)))
  const places = [
    ...names.flatMap(id => foldersOf(join(root, 'volumes', id))),
    ...[...snapshots, ...groups].map(({ path }) => path),
  ]
  return {
    root,
    volumes,
    snapshots,
    groups,
    remains: remains.map((each, n) => ({ ...each, allocated: sizes[n] ?? 0n })),
    drafts: await draftsIn(files, [root, ...places]),
  }
}

function foldersOf(volume: string): string[] {
  return [volume, join(volume, 'claims')]
}

async function keptVolume(files: HostFiles, pool: string, id: VolumeId, path: string): Promise<KeptVolume | undefined> {
  const places = [path, join(path, 'claims'), join(path, 'data')]
  const [folder, claimsFolder, data] = await Promise.all(places.map(place => files.facts(place)))
  if (!folder) return undefined
  const document = await readDocument(files, join(path, 'volume.json'), parseVolume)
  const { content: modified, unreadable } = await readDocument(files, join(path, 'modified.json'), parseModified)
  const claims = await readAllClaims(files, join(path, 'claims'))
  const changed = [folder, claimsFolder].flatMap(each => (each ? [each.modified.getTime()] : []))
  const { createdSize, ...spec } = document.content ?? ({} as Partial<VolumeDocument>)
  return {
    id,
    path,
    changed: new Date(Math.max(...changed)),
    ...(data && { data: { path: join(path, 'data'), size: data.size, allocated: data.allocated } }),
    ...('id' in spec && {
      volume: { ...(spec as VolumeDocument), pool, size: data?.size ?? 0n, ...(modified && { modified }) },
    }),
    ...(createdSize !== undefined && { createdSize: BigInt(createdSize) }),
    claims: claims.flatMap(({ content }) => content ?? []),
    unreadable: [document, { unreadable }, ...claims].flatMap(each => each.unreadable ?? []),
  }
}

async function keptSnapshot(
  files: HostFiles,
  pool: string,
  id: SnapshotId,
  path: string,
): Promise<KeptSnapshot | undefined> {
  const changed = await lastChange(files, path)
  if (!changed) return undefined
  const { content, unreadable } = await readDocument(files, join(path, 'snapshot.json'), parseSnapshot)
  const data = await files.facts(join(path, 'data'))
  const { size, created, occupied: _, ...spec } = content ?? {}
  const numbers = { size: BigInt(size ?? 0), created: BigInt(created ?? 0) }
  return {
    id,
    path,
    changed,
    allocated: await allocatedIn(files, path),
    ...('id' in spec && { snapshot: { ...spec, ...numbers, pool, ready: data !== undefined } }),
    ...(data && { dataSize: data.size }),
    unreadable: unreadable ? [unreadable] : [],
  }
}

async function keptGroup(files: HostFiles, pool: string, id: GroupId, path: string): Promise<KeptGroup | undefined> {
  const changed = await lastChange(files, path)
  if (!changed) return undefined
  const { content, unreadable } = await readDocument(files, join(path, 'group.json'), parseGroup)
  const sizes = await Promise.all(
    (content?.members ?? []).map(async (_, n) => (await files.facts(dataIn(path, n)))?.size),
  )
  const group =
    content &&
    groupOf(
      pool,
      content,
      sizes.map(size => size !== undefined),
    )
  const isDamaged = (n: number, size: bigint) => (sizes[n] ?? -1n) < size
  return {
    id,
    path,
    changed,
    ...(group && { group }),
    damaged: (group?.snapshots ?? []).flatMap((each, n) => (isDamaged(n, each.size) ? [each.id] : [])),
    allocated: await allocatedIn(files, path),
    unreadable: unreadable ? [unreadable] : [],
  }
}

/** Neither, if there is no such file. */
interface Read<T> {
  readonly content?: T
  readonly unreadable?: Unreadable
}

async function readAllClaims(files: HostFiles, folder: string): Promise<Read<Claim>[]> {
  const names = ((await files.list(folder)) ?? []).filter(name => name.endsWith('.json'))
  return await Promise.all(names.map(name => readDocument(files, join(folder, name), parseClaim)))
}

async function readDocument<T>(
  files: HostFiles,
  path: string,
  parse: (text: string, path: string) => T,
): Promise<Read<T>> {
  const text = await files.read(path)
  if (text === undefined) return {}
  try {
    return { content: parse(text, path) }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { unreadable: { path, why: error.message } }
  }
}

async function draftsIn(files: HostFiles, folders: readonly string[]) {
  const found: { path: string; changed: Date }[] = []
  for (const folder of folders) {
    for (const name of ((await files.list(folder)) ?? []).filter(each => DRAFT.test(each))) {
      const path = join(folder, name)
      const changed = (await files.facts(path))?.modified
      if (changed) found.push({ path, changed })
    }
  }
  return found
}
