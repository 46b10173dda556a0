// Target `lio`: the kernel's own, described through configfs. What is there is read from the kernel each time.
import type { Host } from '../../host/host.ts'
import {
  type Acl,
  aclPath,
  type Backstore,
  findBackstore,
  type Group,
  groupPath,
  LUN,
  listGroups,
  listNames,
  mappedLuns,
  readAttribute,
} from '../../linux/lio.ts'
import {
  ensureAcl,
  ensureAttributes,
  ensureAuth,
  ensureBackstore,
  ensureFabric,
  ensureGroup,
  ensurePortals,
  linkLun,
  removeAcl,
  removeBackstore,
  removeGroup,
  removeLun,
  removeTarget,
  resizeBackstore,
  switchGroup,
} from '../../linux/lio-change.ts'
import { requireAnswer, waitForNoSessions } from '../../linux/lio-sessions.ts'
import { EffectMissing, InvalidRequest, VolumeNotFound, WrongDevice } from '../../volume/errors.ts'
import { parseVolumeId } from '../../volume/ids.ts'
import { isIqn } from '../../volume/node-id.ts'
import type { Op } from '../../volume/op.ts'
import { isPortal } from '../../volume/portal.ts'
import type { Backing } from '../../volume/types.ts'
import { attributesOf, BACKSTORE, backstoreOf, differences } from './lio-document.ts'
import { targetName, volumeOfTarget } from './names.ts'
import type { ExportDocument, Right, Shown, Target, TargetKind } from './target.ts'

export const lio: TargetKind = {
  open: (host: Host): Target => ({
    lun: 0,
    growsOnline: true,
    apply: (document, op) => apply(host, document, op),
    revoke: (target, initiator, op) => revoke(host, target, initiator, op),
    remove: (target, op) => remove(host, target, op),
    grow: (target, backing) => grow(host, target, backing),
    find: target => find(host, target),
    list: () => list(host),
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
  const { target, serial, backing, sectorSize, portals, rights } = document
  const own = backstoreOf(target)
  const path = groupPath(target)
  requireWritable(document)
  await requireBacking(host, target, backing)
  const [backstore, groups] = await Promise.all([findBackstore(host, own), listGroups(host, target)])
  requireSame(document, backstore, groups ?? [])
  const isMade = groups?.some(group => group.path === path) === true
  if (groups?.every(({ enabled }) => enabled) && isMade && (await differences(host, document)).length === 0)
    return await rewritePasswords(host, document)
  if (!groups) await ensureFabric(host, op)
  await waitIfEnding(host, target, groups ?? [], op)
  await close(host, document, groups ?? [], op)
  await ensureBackstore(host, own, backstore, { file: backing, serial, sectorSize, attributes: BACKSTORE })
  if (backstore && backstore.size < backing.size) await resizeBackstore(host, own, backing.size)
  await ensureGroup(host, path)
  await ensureAttributes(host, path, attributesOf(rights), !isMade)
  if (!groups?.some(({ shows }) => shows === own)) await linkLun(host, path, own)
  for (const right of rights) {
    await ensureAcl(host, path, right.initiator, right.readonly)
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

/** The names become paths, and words of an option list that commas separate. */
function requireWritable({ target, backing, portals, rights }: ExportDocument): void {
  const problem =
    rights.map(({ initiator }) => initiator).find(name => !isIqn(name)) ??
    portals.find(portal => !isPortal(portal)) ??
    // FD_MAX_DEV_NAME, target_core_file.h
    (/[,\n]/.test(backing.path) || Buffer.byteLength(backing.path) > 255 ? backing.path : undefined)
  if (problem === undefined && rights.length > 0 && portals.length > 0) return
  throw new InvalidRequest({
    asked: `export ${target}`,
    found: problem === undefined ? 'it is for nobody, or nowhere' : `LIO cannot take "${problem}"`,
    next: 'rename it; the path of a pool has at most 150 bytes, and no comma',
  })
}

/** LIO would create a file that is not there. */
async function requireBacking(host: Host, target: string, { path, size }: Backing): Promise<void> {
  const file = await host.files.facts(path)
  if (file?.kind === 'file' && file.size >= size) return
  throw new VolumeNotFound({
    asked: `export ${target}`,
    found: file ? `${path} is a ${file.kind} of ${file.size} bytes, not a file of ${size}` : `${path} does not exist`,
    next: 'check the pool; nothing was changed',
  })
}

/** Never makes one volume's export into another's: sessions would go on, with other data below them. */
function requireSame(document: ExportDocument, backstore: Backstore | undefined, groups: readonly Group[]): void {
  const { target, serial, backing, sectorSize } = document
  const refuse = (found: string) =>
    new WrongDevice({
      asked: `export ${backing.path} as ${target}`,
      found,
      next: 'nothing was changed; see who made it',
    })
  const other = groups.find(({ shows }) => shows !== undefined && shows !== backstoreOf(target))
  if (other) throw refuse(`it shows ${other.shows}`)
  if (!backstore) return
  const isShown = groups.some(({ shows }) => shows !== undefined)
  if (backstore.file !== '' && backstore.file !== backing.path) throw refuse(`it shows ${backstore.file}`)
  if (backstore.serial !== serial && (backstore.serial !== '' || isShown))
    throw refuse(`its serial number is "${backstore.serial}", that of the volume is ${serial}`)
  if (backstore.size > backing.size) throw refuse(`it shows ${backstore.size} bytes, the file has ${backing.size}`)
  if (!isShown) return
  if (backstore.sectorSize !== sectorSize)
    throw refuse(`its sectors have ${backstore.sectorSize} bytes, those of the volume ${sectorSize}`)
}

/** Takes away what the document does not give, and keeps everybody out while what they need is incomplete. */
async function close(host: Host, { target, rights }: ExportDocument, groups: readonly Group[], op: Op): Promise<void> {
  for (const group of groups) {
    if (group.path !== groupPath(target)) {
      await requireAnswerFor(host, group, op)
      await removeGroup(host, group.path, op)
      continue
    }
    const kept = await aclsToKeep(host, rights, group)
    if (kept.length < group.acls.length) await requireAnswerFor(host, group, op)
    // A session that comes back to half an export gets I/O errors; to a disabled one it comes back later.
    if (kept.length === 0 && group.enabled) await disable(host, target, group, op)
    for (const acl of group.acls) if (!kept.includes(acl)) await removeAcl(host, acl.path, op)
    for (const lun of (await host.files.list(`${group.path}/lun`)) ?? [])
      if (lun !== LUN) await removeLun(host, `${group.path}/lun/${lun}`, op)
    // After the strangers are gone: it may be what kept them out.
    await ensureAttributes(host, group.path, attributesOf(rights), false)
  }
}

async function aclsToKeep(host: Host, rights: readonly Right[], { shows, acls }: Group): Promise<Acl[]> {
  const mapped = await Promise.all(acls.map(acl => mappedLuns(host, acl.path)))
  return acls.filter((acl, n) => {
    const right = rights.find(({ initiator }) => initiator === acl.initiator)
    const isWhole = acl.access !== 'none' && mapped[n]?.join() === LUN
    // A writer that becomes a reader may have writes under way.
    return right && shows !== undefined && isWhole && !(right.readonly && acl.access === 'read-write')
  })
}

/** Before sessions are ended: where the disk below is dead, nothing is begun that would hang. */
async function requireAnswerFor(host: Host, { shows, acls }: Group, op: Op): Promise<void> {
  if (shows === undefined || acls.every(({ sessions }) => sessions === 0)) return
  const backstore = await findBackstore(host, shows)
  if (backstore && backstore.file !== '') await requireAnswer(host, backstore.file, op)
}

/** What an earlier call began; every change of such a group would wait in the kernel, without a limit. */
async function waitIfEnding(host: Host, target: string, groups: readonly Group[], op: Op): Promise<void> {
  if (groups.some(({ enabled }) => !enabled)) await waitForNoSessions(host, target, op)
}

async function disable(host: Host, target: string, group: Group, op: Op): Promise<void> {
  await switchGroup(host, group.path, false)
  await waitForNoSessions(host, target, op)
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
    if (group.acls.length === 1 && group.enabled) await disable(host, target, group, op)
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
    await disable(host, target, group, op)
  }
  await removeTarget(host, target, op)
  await removeBackstore(host, backstore, op)
}

async function grow(host: Host, target: string, backing: Backing): Promise<void> {
  const path = backstoreOf(target)
  await requireBacking(host, target, backing)
  const backstore = await findBackstore(host, path)
  if (backstore?.file !== backing.path) {
    throw new WrongDevice({
      asked: `show the size of ${backing.path} to those that use ${target}`,
      found: `it shows ${backstore?.file || 'nothing'}`,
      next: 'nothing was changed; see who made it',
    })
  }
  if (backstore.size < backing.size) await resizeBackstore(host, path, backing.size)
  const size = (await findBackstore(host, path))?.size
  if (size !== undefined && size >= backing.size) return
  throw new EffectMissing({
    asked: `show ${backing.size} bytes to those that use ${target}`,
    found: `it shows ${size}`,
    next: 'see the kernel log; call again',
  })
}
