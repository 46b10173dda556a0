// Groups of snapshots in the file pool: clones of several data files that were made while nobody could write to any of them.
//
//   <pool>/groups/<id>/data.<n>    the bytes of the n-th volume, in ascending order of the volumes' ids
//   <pool>/groups/<id>/group.json  what CreateVolumeGroupSnapshot fixed for ever; written once, never changed
//
// The folder is filled as a draft and renamed when all is in it: a group exists whole or not at all.
import { basename, join } from 'node:path'
import { cloneFile } from '../linux/copy.ts'
import { syncFile } from '../linux/sync.ts'
import { CannotCutTogether, DriverError, InvalidRequest, OperationPending } from '../volume/errors.ts'
import { encodeGroupId, encodeMemberId, parseGroupId, parseMemberId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import { originOf } from '../volume/origin.ts'
import type { Bytes, Group, GroupId, GroupSpec, Origin, VolumeId } from '../volume/types.ts'
import { encodeGroup, encodePause, type GroupDocument, parseGroup, parsePause } from './file-documents.ts'
import { copyAlone, inDraft, type Place, uniqueName } from './file-place.ts'
import { discard } from './file-remains.ts'
import type { FileSnapshots } from './file-snapshots.ts'
import { requireRoom } from './file-space.ts'
import type { Groups, PauseWrites, Pool } from './pool.ts'

/** In the draft of a group while its volumes are paused: who finds it there makes sure that they are so no longer. */
const PAUSE = 'pause.json'

interface Task {
  readonly asked: string
  readonly wanted: GroupSpec
  readonly pause: PauseWrites
}

/** What is to be cloned. */
interface Source {
  readonly id: VolumeId
  readonly path: string
  readonly occupied: Bytes
  readonly origin: Origin
}

export function fileGroups(place: Place, pool: Pool, seedOf: (name: string) => string): Groups {
  return {
    idFor: text => encodeGroupId(place.name, seedOf(text)),
    create: (wanted, pause, op) =>
      create(place, pool, { asked: `cut ${wanted.id} of ${wanted.sources.join(', ')}`, wanted, pause }, op),
    find: id => find(place, id),
    delete: (id, op) => remove(place, id, op),
    abandon: (resume, op) => abandon(place, resume, op),
  }
}

/** The snapshots of a pool, those of its groups among them. */
export function withMembers(place: Place, alone: FileSnapshots): FileSnapshots {
  const { files } = place.host
  const member = async (group: GroupId, n: number) => (await find(place, group))?.snapshots[n]
  const findAny: FileSnapshots['find'] = async id => {
    const parsed = parseMemberId(id)
    return parsed ? await member(parsed.group, parsed.place) : await alone.find(id)
  }
  return {
    ...alone,
    find: findAny,
    async list() {
      const groups = (await files.list(join(place.root, 'groups'))) ?? []
      const members = await Promise.all(groups.map(async id => (await find(place, id))?.snapshots ?? []))
      return [...(await alone.list()), ...members.flat().map(({ id }) => id)].sort()
    },
    async delete(id, op) {
      const parsed = parseMemberId(id)
      if (!parsed) return await alone.delete(id, op)
      if (!(await findAny(id))) return
      throw new InvalidRequest({
        asked: `delete ${id}`,
        found: `it is one of the snapshots of ${parsed.group}`,
        next: 'delete the group, with all of them',
      })
    },
    pathOf(id) {
      const parsed = parseMemberId(id)
      return parsed ? dataIn(folderOf(place, parsed.group), parsed.place) : alone.pathOf(id)
    },
  }
}

async function find(place: Place, id: GroupId): Promise<Group | undefined> {
  const { files } = place.host
  const folder = folderOf(place, id)
  const path = join(folder, 'group.json')
  const text = await files.read(path)
  if (text === undefined) return undefined
  const document = parseGroup(text, path)
  const data = await Promise.all(document.members.map((_, n) => files.facts(dataIn(folder, n))))
  return groupOf(
    place.name,
    document,
    data.map(facts => facts !== undefined),
  )
}

/** `present`: whether the bytes of each are there. */
export function groupOf(pool: string, document: GroupDocument, present: readonly boolean[]): Group {
  const { id, name, members } = document
  const created = BigInt(document.created)
  return {
    id,
    name,
    pool,
    created,
    sources: members.map(({ source }) => source),
    snapshots: members.map(({ source, size, origin }, n) => ({
      id: encodeMemberId(id, n),
      name,
      source,
      origin,
      pool,
      size: BigInt(size),
      created,
      ready: present[n] === true,
      group: id,
    })),
  }
}

async function create(place: Place, pool: Pool, task: Task, op: Op): Promise<Group> {
  const { asked, wanted } = task
  const work = async () => {
    if (!(await find(place, wanted.id))) await make(place, pool, task, op)
  }
  if (!(await find(place, wanted.id))) await copyAlone(place, wanted.id, op, work)
  const found = await find(place, wanted.id)
  if (found) return found
  throw new OperationPending({ asked, found: 'it was deleted meanwhile', next: 'call again' })
}

async function make(place: Place, pool: Pool, task: Task, op: Op): Promise<void> {
  const { asked, wanted } = task
  const { host } = place
  const sources = await Promise.all(wanted.sources.map(id => sourceOf(place, pool, id)))
  const occupied = sources.reduce((sum, each) => sum + each.occupied, 0n)
  await requireRoom(asked, place, occupied)
  await inDraft(place, wanted.id, async draft => {
    await requireClones(place, asked, draft, op)
    await host.files.createExclusive(join(draft, PAUSE), encodePause({ sources: wanted.sources }))
    const created = await cutTogether(place, task, { draft, sources }, op)
    const members = []
    for (const [n, { id, origin }] of sources.entries()) {
      await syncFile(host, dataIn(draft, n), op)
      const { size = 0n } = (await host.files.facts(dataIn(draft, n))) ?? {}
      members.push({ source: id, size: String(size), origin })
    }
    const document = { id: wanted.id, name: wanted.name, created, members }
    await host.files.createExclusive(join(draft, 'group.json'), encodeGroup(document))
    await requireRoom(asked, place, 0n) // the draft is counted already
    await host.files.removeFile(join(draft, PAUSE))
    return await host.files.rename(draft, folderOf(place, wanted.id))
  })
  op.log.info({ group: wanted.id, volumes: wanted.sources }, 'group of snapshots cut')
}

async function sourceOf({ host }: Place, pool: Pool, id: VolumeId): Promise<Source> {
  const [volume, { path }] = await Promise.all([pool.get(id), pool.backing(id)])
  return { id, path, occupied: (await host.files.facts(path))?.allocated ?? 0n, origin: originOf(volume) }
}

/** Found out on a file of the pool's own, so that nobody is held for nothing. */
async function requireClones({ host, name, root }: Place, asked: string, draft: string, op: Op): Promise<void> {
  const probe = join(draft, 'data')
  if (!(await cloneFile(host, join(root, 'pool.json'), probe, op))) throw cannotClone(asked, name)
  await host.files.removeFile(probe)
}

/** All cuts, or an error: what was cut until then goes with the draft. Answers the instant, in nanoseconds since 1970. */
async function cutTogether(
  { host, name }: Place,
  { asked, pause }: Task,
  { draft, sources }: { readonly draft: string; readonly sources: readonly Source[] },
  op: Op,
): Promise<string> {
  const resume = await pause()
  const created = String(BigInt(Date.now()) * 1_000_000n)
  try {
    for (const [n, { path }] of sources.entries()) {
      if (!(await cloneFile(host, path, dataIn(draft, n), op))) throw cannotClone(asked, name)
    }
  } catch (error) {
    await resume().catch((cause: unknown) => op.log.warn({ cause: String(cause) }, 'a pause had ended before its work'))
    throw error
  }
  await resume()
  return created
}

async function remove(place: Place, id: GroupId, op: Op): Promise<void> {
  const { files } = place.host
  if (!(await find(place, id))) return
  const trash = join(place.root, 'trash', uniqueName(id))
  await files.rename(folderOf(place, id), trash)
  await discard(files, trash)
  op.log.info({ group: id }, 'group of snapshots deleted')
}

async function abandon(place: Place, resume: (source: VolumeId) => Promise<void>, op: Op): Promise<void> {
  const { files } = place.host
  for (const draft of await draftsOf(place)) {
    const id = idOf(draft)
    const takeBack = async () => {
      const note = join(draft, PAUSE)
      const text = await files.read(note)
      const { sources } = text === undefined ? { sources: [] } : parsePause(text, note)
      for (const source of sources) await resume(source)
      await discard(files, draft)
      op.log.warn({ group: id }, 'a group of snapshots did not come to be; what was cut of it is removed')
    }
    try {
      await copyAlone(place, id, op, takeBack)
    } catch (error) {
      // It is being cut now, or one of its volumes cannot be looked at: the next one tries again.
      if (!(error instanceof DriverError)) throw error
      op.log.info({ group: id, cause: error.message }, 'left as it is')
    }
  }
}

async function draftsOf({ host, root }: Place): Promise<string[]> {
  const folder = join(root, 'drafts')
  const names = ((await host.files.list(folder)) ?? []).filter(name => parseGroupId(idOf(name)))
  return names.map(name => join(folder, name))
}

/** As `uniqueName` makes it. */
function idOf(draft: string): GroupId {
  return basename(draft).split('.')[0] ?? ''
}

function cannotClone(asked: string, pool: string): CannotCutTogether {
  return new CannotCutTogether({
    asked,
    found: `pool ${pool} cannot clone files at one instant`,
    next: 'keep such volumes in a pool on xfs or btrfs',
  })
}

export function dataIn(folder: string, n: number): string {
  return join(folder, `data.${n}`)
}

function folderOf({ root }: Place, id: GroupId): string {
  return join(root, 'groups', id)
}
