// Target `lio`: the kernel's own, described through configfs. What is there is read from the kernel each time.
import { randomInt } from 'node:crypto'
import type { Host } from '../../host/host.ts'
import {
  type Acl,
  aclPath,
  findBackstore,
  type Group,
  groupPath,
  LUN,
  listGroups,
  listNames,
  lunName,
  readAttribute,
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
  removeBackstore,
  removeGroup,
  removeLun,
  removeTarget,
  switchGroup,
} from '../../linux/lio-change.ts'
import { disableGroup, waitIfEnding } from '../../linux/lio-sessions.ts'
import { EffectMissing } from '../../volume/errors.ts'
import { parseVolumeId } from '../../volume/ids.ts'
import type { Op } from '../../volume/op.ts'
import {
  backstoreOf,
  completeBackstore,
  grow,
  requireAnswerBelow,
  requireBacking,
  requireSame,
  requireWritable,
  showsOther,
} from './lio-backstore.ts'
import { attributesOf, differences } from './lio-document.ts'
import { nodeTargets } from './lio-node.ts'
import { listUnits } from './lio-units.ts'
import { LUNS, targetName, usableLun, volumeOfTarget } from './names.ts'
import type { ExportDocument, Right, Shown, Target, TargetKind } from './target.ts'

export const lio: TargetKind = {
  runs: async () => true,
  open: (host: Host): Target => ({
    chooseLun: () => usableLun(randomInt(1, LUNS)),
    growsOnline: true,
    apply: (document, op) => apply(host, document, op),
    revoke: (target, initiator, op) => revoke(host, target, initiator, op),
    remove: (target, op) => remove(host, target, op),
    grow: (target, backing) => grow(host, target, backing),
    find: target => find(host, target),
    list: () => list(host),
    nodes: nodeTargets(host),
  }),
}

async function list(host: Host): Promise<Shown[]> {
  const { targets, backstores } = await listNames(host)
  const orphans = backstores.filter(name => parseVolumeId(name)).map(targetName)
  const names = new Set([...targets.filter(name => volumeOfTarget(name) !== undefined), ...orphans])
  const found: Shown[] = []
  // One after the other: all at once would only wait for each other.
  for (const name of [...names].sort()) {
    const shown = await find(host, name)
    if (shown) found.push(shown)
  }
  return found
}

async function find(host: Host, target: string): Promise<Shown | undefined> {
  const own = backstoreOf(target)
  const groups = await listGroups(host, target)
  const path = groups?.find(({ shows }) => shows !== undefined)?.shows ?? own
  const backstore = await findBackstore(host, path)
  if (!groups && !backstore) return undefined
  return {
    target,
    serial: backstore?.serial ?? '',
    // That of another kind of backstore is not worth a parser: it is another, and this tells where to look.
    backing: backstore && path !== own && backstore.file === '' ? path : (backstore?.file ?? ''),
    size: backstore?.size ?? 0n,
    enabled: groups?.length === 1 && groups.every(isComplete),
    initiators: (groups ?? []).flatMap(({ acls }) =>
      acls.map(({ initiator, access, sessions }) => ({
        name: initiator,
        readonly: access === 'read-only',
        sessions,
      })),
    ),
  }
}

/** Logins are accepted, and everyone who has a right finds the volume. */
function isComplete({ enabled, authenticates, shows, acls }: Group): boolean {
  const areAclsWhole = acls.every(({ access, user }) => access !== 'none' && (!authenticates || user !== ''))
  return enabled && shows !== undefined && areAclsWhole
}

async function apply(host: Host, document: ExportDocument, op: Op): Promise<void> {
  const { target, backing, portals, rights } = document
  const own = backstoreOf(target)
  const path = groupPath(target)
  requireWritable(document)
  await requireBacking(host, target, backing)
  const [backstore, groups] = await Promise.all([findBackstore(host, own), listGroups(host, target)])
  const shown = (groups ?? []).flatMap(({ shows }) => (shows === undefined ? [] : [shows]))
  const other = shown.find(each => each !== own)
  if (other !== undefined) throw showsOther(document, `it shows ${other}`)
  requireSame(document, backstore, shown.length > 0)
  const isMade = groups?.some(group => group.path === path) === true
  if (groups?.every(({ enabled }) => enabled) && isMade && (await differences(host, document)).length === 0)
    return await rewritePasswords(host, document)
  if (!groups) await ensureFabric(host, op)
  await waitIfEnding(host, target, groups ?? [], op)
  await close(host, document, groups ?? [], op)
  await completeBackstore(host, own, backstore, document)
  await ensureGroup(host, path)
  await ensureAttributes(host, path, attributesOf(rights), !isMade)
  if (!groups?.some(({ shows }) => shows === own)) await linkLun(host, path, own)
  for (const right of rights) {
    await ensureAcl(host, path, right.initiator)
    await mapLun(host, path, { ...right, lun: LUN, as: lunName(right.lun) })
    await ensureAuth(host, aclPath(path, right.initiator), right.chap)
  }
  await ensurePortals(host, path, portals, op)
  await switchGroup(host, path, true)
  const wrong = await differences(host, document)
  if (wrong.length === 0) return
  throw new EffectMissing({
    asked: `export ${backing.path} as ${target}`,
    found: wrong.join(', '),
    next: 'see whether something else changes it; call again',
  })
}

/** What the kernel has cannot be compared: nothing here may look into a secret. To write the same again changes nothing. */
async function rewritePasswords(host: Host, { target, rights }: ExportDocument): Promise<void> {
  for (const { initiator, chap } of rights) await ensureAuth(host, aclPath(groupPath(target), initiator), chap)
}

/** Takes away what the document does not give, and keeps everybody out while what they need is incomplete. */
async function close(host: Host, { target, rights }: ExportDocument, groups: readonly Group[], op: Op): Promise<void> {
  for (const group of groups) {
    if (group.path !== groupPath(target)) {
      await requireAnswerFor(host, group, op)
      await removeGroup(host, group.path, op)
      continue
    }
    const kept = aclsToKeep(rights, group)
    if (kept.length < group.acls.length) await requireAnswerFor(host, group, op)
    // A session that comes back to half an export gets I/O errors; to a disabled one it comes back later.
    if (kept.length === 0 && group.enabled) await disableGroup(host, target, group, op)
    for (const acl of group.acls) if (!kept.includes(acl)) await removeAcl(host, acl.path, op)
    for (const lun of (await host.files.list(`${group.path}/lun`)) ?? [])
      if (lun !== LUN) await removeLun(host, `${group.path}/lun/${lun}`, op)
    // After the strangers are gone: it may be what kept them out.
    await ensureAttributes(host, group.path, attributesOf(rights), false)
  }
}

function aclsToKeep(rights: readonly Right[], { shows, acls }: Group): Acl[] {
  return acls.filter(acl => {
    const right = rights.find(({ initiator }) => initiator === acl.initiator)
    const isWhole = acl.access !== 'none' && right && acl.luns.join() === lunName(right.lun)
    // A writer that becomes a reader may have writes under way.
    return shows !== undefined && isWhole && !(right.readonly && acl.access === 'read-write')
  })
}

async function requireAnswerFor(host: Host, { shows, acls }: Group, op: Op): Promise<void> {
  if (shows !== undefined && acls.some(({ sessions }) => sessions > 0)) await requireAnswerBelow(host, shows, op)
}

async function revoke(host: Host, target: string, initiator: string, op: Op): Promise<void> {
  backstoreOf(target)
  const groups = (await listGroups(host, target)) ?? []
  await waitIfEnding(host, target, groups, op)
  for (const group of groups) {
    await ensureAttributes(host, group.path, { generate_node_acls: '0' }, false)
    const acl = group.acls.find(each => each.initiator === initiator)
    if (!acl) continue
    await requireAnswerFor(host, group, op)
    // The last one: nobody else loses a session, and the initiator sees a lost connection instead of an empty target.
    if (group.acls.length === 1 && group.enabled) await disableGroup(host, target, group, op)
    await removeAcl(host, acl.path, op)
  }
  for (const group of (await listGroups(host, target)) ?? []) {
    const dynamic = await readAttribute(host, `${group.path}/dynamic_sessions`)
    const isLeft =
      group.acls.some(acl => acl.initiator === initiator) || dynamic.split('\0').join('\n').includes(initiator)
    if (!isLeft) continue
    throw new EffectMissing({
      asked: `take ${target} away from ${initiator}`,
      found: `it is still in ${group.path}`,
      next: 'see whether something else gives it back; call again',
    })
  }
}

async function remove(host: Host, target: string, op: Op): Promise<void> {
  const backstore = backstoreOf(target)
  const groups = (await listGroups(host, target)) ?? []
  await waitIfEnding(host, target, groups, op)
  for (const group of groups) {
    if (!group.enabled) continue
    await requireAnswerFor(host, group, op)
    await disableGroup(host, target, group, op)
  }
  await removeTarget(host, target, op)
  // Nodes may have it below targets of their own.
  if ((await listUnits(host, volumeOfTarget(target))).length === 0) await removeBackstore(host, backstore, op)
}
