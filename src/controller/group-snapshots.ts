// CreateVolumeGroupSnapshot, DeleteVolumeGroupSnapshot, GetVolumeGroupSnapshot: several volumes at one instant.
import type { Groups, PauseWrites, Pool } from '../pools/pool.ts'
import { CannotCutTogether, GroupNotFound, IncompatibleExists, InvalidRequest, NotSupported } from '../volume/errors.ts'
import { MAX_MEMBERS, parseGroupId } from '../volume/ids.ts'
import { type LetGo, letGoOfAll } from '../volume/let-go.ts'
import { type Op, steady } from '../volume/op.ts'
import type { Group, GroupId, SnapshotId, VolumeId } from '../volume/types.ts'
import { type ControllerSite, findVolume, getExporter, getVolume, type Located, poolNames } from './site.ts'

export interface CreateGroupRequest {
  readonly name: string
  readonly sources: readonly VolumeId[]
}

/** The snapshots that the caller believes to be those of the group, in any order. */
export interface GroupRequest {
  readonly id: GroupId
  readonly snapshots: readonly SnapshotId[]
}

/**
 * CSI spec, CreateVolumeGroupSnapshot. The id derives from the name: a repeat answers the group that was cut first, also
 * when its sources are gone. The same name for other volumes is ALREADY_EXISTS, and for those of several pools, or such
 * whose writes cannot be held, FAILED_PRECONDITION. Either all snapshots exist after it, or none.
 */
export async function createGroup(site: ControllerSite, request: CreateGroupRequest, op: Op): Promise<Group> {
  const sources = request.sources.toSorted()
  const asked = `create the group snapshot "${request.name}" of ${sources.join(', ')}`
  requireDistinct(asked, sources)
  const existing = await findByName(site, request.name)
  if (existing) return requireSame(asked, existing, sources)
  const volumes = await Promise.all(sources.map(id => getVolume(site, asked, id)))
  const pool = onePoolOf(asked, volumes)
  const groups = getGroups(asked, pool)
  await groups.abandon(id => resume(site, id, op), op)
  const wanted = { id: groups.idFor(request.name), name: request.name, sources }
  const cut = () => groups.create(wanted, () => pauseAll(site, asked, volumes, op), op)
  return requireSame(asked, await aloneWithAll(pool, sources, op, cut), sources)
}

/** CSI spec, DeleteVolumeGroupSnapshot. One that is gone, or never was, is OK. */
export async function deleteGroup(site: ControllerSite, { id, snapshots }: GroupRequest, op: Op): Promise<void> {
  const groups = groupsOf(site, id)
  const group = await groups?.find(id)
  if (!group) return
  requireMembers(`delete ${id}`, group, snapshots)
  await groups?.delete(id, op)
}

export async function getGroup(site: ControllerSite, { id, snapshots }: GroupRequest): Promise<Group> {
  const asked = `get ${id}`
  const group = await groupsOf(site, id)?.find(id)
  if (group) return requireMembers(asked, group, snapshots)
  throw new GroupNotFound({ asked, found: `there is no group ${id} in ${poolNames(site)}`, next: 'check the group id' })
}

/** Takes back what a killed driver left of groups that never came to be, and lets writes to their volumes go on. Never throws. */
export async function abandonGroups(site: ControllerSite, op: Op): Promise<void> {
  for (const [name, { groups }] of site.pools) {
    await groups
      ?.abandon(id => resume(site, id, op), op)
      .catch((error: unknown) => op.log.warn({ pool: name, cause: String(error) }, 'could not look for groups'))
  }
}

/** A volume that was deleted since, or a transport that is not configured any more, holds nothing. */
async function resume(site: ControllerSite, id: VolumeId, op: Op): Promise<void> {
  const located = await findVolume(site, id)
  if (located) await site.exporters.get(located.volume.transport)?.resume(id, steady(op))
}

async function findByName({ pools }: ControllerSite, name: string): Promise<Group | undefined> {
  for (const { groups } of pools.values()) {
    const existing = await groups?.find(groups.idFor(name))
    if (existing) return existing
  }
  return undefined
}

function groupsOf({ pools }: ControllerSite, id: GroupId): Groups | undefined {
  return pools.get(parseGroupId(id)?.pool ?? '')?.groups
}

function getGroups(asked: string, { name, groups }: Pool): Groups {
  if (groups) return groups
  throw new NotSupported({ asked, found: `pool ${name} cannot cut groups`, next: 'use a pool that can' })
}

/**
 * All volumes are held before this answers, or none when it throws; the answered function lets all go, and throws unless
 * each was held until then. Side by side: the first waits for the last.
 */
async function pauseAll(
  site: ControllerSite,
  asked: string,
  volumes: readonly Located[],
  op: Op,
): ReturnType<PauseWrites> {
  const pauses = volumes.map(async ({ pool, volume }) => {
    const exporter = getExporter(site, asked, volume.transport)
    return await exporter.pause(volume, await pool.backing(volume.id), await pool.claims(volume.id), op)
  })
  const begun = await Promise.allSettled(pauses)
  const held: LetGo[] = begun.flatMap(each => (each.status === 'fulfilled' ? [each.value] : []))
  const failed = begun.find(each => each.status === 'rejected')
  if (!failed) return async () => await letGoOfAll(held)
  await letGoOfAll(held).catch((error: unknown) => op.log.warn({ cause: String(error) }, 'a pause had ended'))
  throw failed.reason
}

/** In the order of their ids: two who want the same volumes do not wait for each other. */
async function aloneWithAll<T>(pool: Pool, ids: readonly VolumeId[], op: Op, work: () => Promise<T>): Promise<T> {
  const [id, ...others] = ids
  return id === undefined ? await work() : await pool.alone(id, op, () => aloneWithAll(pool, others, op, work))
}

function requireDistinct(asked: string, sorted: readonly VolumeId[]): void {
  const twice = sorted.find((id, n) => id === sorted[n - 1])
  if (twice !== undefined) throw new InvalidRequest({ asked, found: `${twice} is named twice`, next: 'name it once' })
  if (sorted.length > MAX_MEMBERS)
    throw new InvalidRequest({ asked, found: `${sorted.length} volumes`, next: `use at most ${MAX_MEMBERS}` })
}

function onePoolOf(asked: string, [first, ...others]: readonly Located[]): Pool {
  if (!first) throw new InvalidRequest({ asked, found: 'no volumes', next: 'name at least one' })
  const stranger = others.find(({ pool }) => pool.name !== first.pool.name)
  if (!stranger) return first.pool
  throw new CannotCutTogether({
    asked,
    found: `${first.volume.id} is in pool ${first.pool.name}, ${stranger.volume.id} in pool ${stranger.pool.name}`,
    next: 'group volumes of one pool only',
  })
}

function requireSame(asked: string, group: Group, sorted: readonly VolumeId[]): Group {
  if (group.sources.join() === sorted.join()) return group
  const found = `it exists as ${group.id} of ${group.sources.join(', ')}`
  throw new IncompatibleExists({ asked, found, next: 'choose another name' })
}

function requireMembers(asked: string, group: Group, given: readonly SnapshotId[]): Group {
  const members = group.snapshots.map(({ id }) => id)
  const isSame = given.length === members.length && members.every(id => given.includes(id))
  if (isSame) return group
  const found = `its snapshots are ${members.join(', ')}, snapshot_ids names ${given.join(', ') || 'none'}`
  throw new InvalidRequest({ asked, found, next: 'name exactly those' })
}
