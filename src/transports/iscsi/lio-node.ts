// Target `lio`, one for each node: its volumes are LUNs that come and go, while the node's session goes on.
import type { Host } from '../../host/host.ts'
import {
  accessTo,
  aclPath,
  backstorePath,
  findBackstore,
  type Group,
  groupPath,
  type Lun,
  listGroups,
  listLuns,
  lunName,
  lunShows,
} from '../../linux/lio.ts'
import {
  ensureAcl,
  ensureAttributes,
  ensureAuth,
  ensureFabric,
  ensureGroup,
  ensurePortals,
  linkLun,
  mapLun,
  removeAcl,
  removeGroup,
  removeLun,
  removeTarget,
  switchGroup,
  unmapLun,
} from '../../linux/lio-change.ts'
import { disableGroup, waitIfEnding } from '../../linux/lio-sessions.ts'
import { EffectMissing, InvalidRequest } from '../../volume/errors.ts'
import type { Op } from '../../volume/op.ts'
import type { VolumeId } from '../../volume/types.ts'
import {
  completeBackstore,
  requireAnswerBelow,
  requireBacking,
  requireSame,
  requireWritable,
  showsOther,
} from './lio-backstore.ts'
import { attributesOf, NODE_PATIENCE, unitDifferences } from './lio-document.ts'
import { listUnits, unitsOf } from './lio-units.ts'
import { poolOfNodeTarget } from './names.ts'
import type { NodeTargets, UnitDocument } from './target.ts'

export const nodeTargets = (host: Host): NodeTargets => ({
  add: (unit, op) => add(host, unit, op),
  open: target => open(host, target),
  take: (target, id, op) => take(host, target, id, op),
  list: id => listUnits(host, id),
  find: (target, id) => unitsOf(host, target, id),
})

async function add(host: Host, unit: UnitDocument, op: Op): Promise<void> {
  const { target, id, lun, backing, portals, rights } = unit
  const [path, own, name] = [groupPath(target), backstorePath(id), lunName(lun)]
  requireOwn(target)
  requireWritable(unit)
  await requireBacking(host, target, backing)
  const [backstore, groups, luns] = await Promise.all([
    findBackstore(host, own),
    listGroups(host, target),
    listLuns(host, path),
  ])
  const other = luns.find(each => each.name === name && each.shows !== undefined && each.shows !== own)
  if (other) throw showsOther(unit, `its LUN ${lun} shows ${other.shows}`)
  requireSame(
    unit,
    backstore,
    luns.some(({ shows }) => shows === own),
  )
  if (!groups) await ensureFabric(host, op)
  await waitIfEnding(host, target, groups ?? [], op)
  const isMade = groups?.some(group => group.path === path) === true
  // Of an earlier publish, or of a call that was cut short.
  const left = luns.filter(({ name: each, shows }) => shows === undefined || (shows === own && each !== name))
  if (!isMade || left.length > 0 || (await unitDifferences(host, unit)).length > 0) {
    for (const group of groups ?? []) await close(host, unit, group, left, op)
    await completeBackstore(host, own, backstore, unit)
    await ensureGroup(host, path)
    await ensureAttributes(host, path, attributesOf(rights), !isMade)
    if ((await lunShows(host, path, name)) === undefined) await linkLun(host, path, own, name)
  }
  for (const { initiator, readonly, chap } of rights) {
    await ensureAcl(host, path, initiator)
    await ensureAttributes(host, aclPath(path, initiator), NODE_PATIENCE, false)
    await ensureAuth(host, aclPath(path, initiator), chap)
    await mapLun(host, path, { initiator, readonly, lun: name, as: name })
  }
  await ensurePortals(host, path, portals, op)
  const wrong = await unitDifferences(host, unit)
  if (wrong.length > 0) throw missing(`export ${backing.path} as LUN ${lun} of ${target}`, wrong.join(', '))
}

/** Takes away what the document does not give: other initiators, what is left, and the right to write of who may only read. */
async function close(host: Host, unit: UnitDocument, group: Group, left: readonly Lun[], op: Op): Promise<void> {
  const { target, lun, rights } = unit
  const { path } = group
  if (path !== groupPath(target)) return await removeGroup(host, path, op)
  const isHolder = ({ initiator }: { initiator: string }) => rights.some(right => right.initiator === initiator)
  // The node would log in to what shows it nothing: its other volumes would get I/O errors.
  if (group.enabled && !group.acls.some(isHolder)) await disableGroup(host, target, group, op)
  for (const acl of group.acls) if (!isHolder(acl)) await removeAcl(host, acl.path, op)
  for (const each of left) await removeUnit(host, group, each, op)
  const own = { name: lunName(lun), shows: backstorePath(unit.id) }
  if (rights.some(({ readonly }) => readonly) && (await mayWrite(host, group, own.name)))
    await removeUnit(host, group, own, op)
}

/** A writer that becomes a reader may have writes under way. */
async function mayWrite(host: Host, { acls }: Group, lun: string): Promise<boolean> {
  return (await Promise.all(acls.map(({ path }) => accessTo(host, path, lun)))).includes('read-write')
}

async function open(host: Host, target: string): Promise<void> {
  requireOwn(target)
  await switchGroup(host, groupPath(target), true)
  const [group] = (await listGroups(host, target)) ?? []
  if (!group?.enabled) throw missing(`let the node log in to ${target}`, 'it is not enabled')
}

async function take(host: Host, target: string, id: VolumeId, op: Op): Promise<void> {
  requireOwn(target)
  const own = backstorePath(id)
  const groups = await listGroups(host, target)
  if (!groups) return
  await waitIfEnding(host, target, groups, op)
  for (const group of groups) {
    const luns = await listLuns(host, group.path)
    const others = luns.filter(({ shows }) => shows !== undefined && shows !== own)
    if (others.length === 0 && group.enabled) {
      // The last one: the node sees a lost connection instead of an empty target.
      if (hasSessions(group)) await requireAnswerBelow(host, own, op)
      await disableGroup(host, target, group, op)
    }
    for (const lun of luns) if (!others.includes(lun)) await removeUnit(host, group, lun, op)
    if (others.length === 0) await removeGroup(host, group.path, op)
  }
  const left = await unitsOf(host, target, id)
  if (left && left.length > 0) throw missing(`take ${id} away from ${target}`, 'it is there again')
  if ((await listGroups(host, target))?.length === 0) await removeTarget(host, target, op)
}

/** The kernel takes no new command for it from its first step on, and comes back from its last when none is left. */
async function removeUnit(host: Host, group: Group, { name, shows }: Lun, op: Op): Promise<void> {
  if (shows !== undefined && hasSessions(group)) await requireAnswerBelow(host, shows, op)
  for (const acl of group.acls) await unmapLun(host, acl.path, name, op)
  await removeLun(host, `${group.path}/lun/${name}`, op)
}

function hasSessions({ acls }: Group): boolean {
  return acls.some(({ sessions }) => sessions > 0)
}

function requireOwn(target: string): void {
  if (poolOfNodeTarget(target) !== undefined) return
  throw new InvalidRequest({ asked: `use the target ${target}`, found: 'it is no node’s', next: 'leave it alone' })
}

function missing(asked: string, found: string): EffectMissing {
  return new EffectMissing({ asked, found, next: 'see whether something else changes it; call again' })
}
