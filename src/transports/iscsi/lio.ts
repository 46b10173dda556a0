// Target `lio`: the kernel's own, described through configfs. What is there is read from the kernel each time.
import type { Host } from '../../host/host.ts'
import {
  type Backstore,
  findBackstore,
  type Group,
  groupPath,
  LUN,
  listGroups,
  listNames,
  readAttribute,
} from '../../linux/lio.ts'
import {
  ensureAcl,
  ensureAttribute,
  ensureAuth,
  ensureBackstore,
  ensureFabric,
  ensureGroup,
  ensureLun,
  ensurePortals,
  removeAcl,
  removeBackstore,
  removeGroup,
  removeLun,
  removeTarget,
  resizeBackstore,
  switchGroup,
  waitForNoSessions,
} from '../../linux/lio-change.ts'
import { EffectMissing, InvalidRequest, VolumeNotFound, WrongDevice } from '../../volume/errors.ts'
import { parseVolumeId } from '../../volume/ids.ts'
import { isIqn } from '../../volume/node-id.ts'
import type { Op } from '../../volume/op.ts'
import { isPortal } from '../../volume/portal.ts'
import type { Backing } from '../../volume/types.ts'
import { attributesOf, BACKSTORE, backstoreOf, proveExport } from './lio-document.ts'
import { targetName, volumeOfTarget } from './names.ts'
import type { ExportDocument, Shown, Target, TargetKind } from './target.ts'

export const lio: TargetKind = {
  open: (host: Host): Target => ({
    lun: 0,
    growsOnline: true,
    supportsChap: true,
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
  return (await Promise.all([...names].sort().map(name => find(host, name)))).filter(shown => shown !== undefined)
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

/** Logins are accepted, and lead to what was meant. */
function isComplete({ enabled, authenticates, luns, shows, acls, portals }: Group): boolean {
  const areAclsWhole = acls.every(
    ({ access, luns: mapped, user }) => access !== 'none' && mapped.length === 1 && (!authenticates || user !== ''),
  )
  return enabled && luns.length === 1 && shows !== undefined && portals.length > 0 && areAclsWhole
}

async function apply(host: Host, document: ExportDocument, op: Op): Promise<void> {
  const { target, serial, backing, sectorSize, portals, rights } = document
  const backstore = backstoreOf(target)
  const group = groupPath(target)
  requireWritable(document)
  await requireBacking(host, target, backing)
  await ensureFabric(host, op)
  await requireSame(document, await findBackstore(host, backstore), (await listGroups(host, target)) ?? [])
  await close(host, document, op)
  await ensureBackstore(host, backstore, { file: backing, serial, sectorSize })
  for (const [name, value] of Object.entries(BACKSTORE))
    await ensureAttribute(host, `${backstore}/attrib/${name}`, value)
  const present = await findBackstore(host, backstore)
  if (present && present.size < backing.size) await resizeBackstore(host, backstore, backing.size)
  await ensureGroup(host, group)
  for (const [name, value] of attributesOf(rights)) await ensureAttribute(host, `${group}/attrib/${name}`, value)
  await ensureLun(host, (await listGroups(host, target))?.[0], group, backstore)
  for (const right of rights) {
    await ensureAcl(host, group, right.initiator, right.readonly)
    await ensureAuth(host, `${group}/acls/${right.initiator}`, right.chap)
  }
  await ensurePortals(host, group, portals, op)
  await switchGroup(host, group, true)
  await proveExport(host, document)
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
async function requireSame(
  document: ExportDocument,
  backstore: Backstore | undefined,
  groups: readonly Group[],
): Promise<void> {
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
async function close(host: Host, { target, rights }: ExportDocument, op: Op): Promise<void> {
  const groups = (await listGroups(host, target)) ?? []
  for (const group of groups) {
    if (group.path !== groupPath(target)) {
      await removeGroup(host, group.path, op)
      continue
    }
    const kept = group.acls.filter(acl => {
      const right = rights.find(({ initiator }) => initiator === acl.initiator)
      const isMapped = acl.access !== 'none' && acl.luns.length === 1
      // A writer that becomes a reader may have writes under way.
      return right && isMapped && !(right.readonly && acl.access === 'read-write') && group.shows !== undefined
    })
    // A session that comes back to half an export gets I/O errors; to a disabled one it comes back later.
    if (kept.length === 0 && group.enabled) {
      await switchGroup(host, group.path, false)
      await waitForNoSessions(host, target, op)
    }
    for (const acl of group.acls) if (!kept.includes(acl)) await removeAcl(host, acl.path, op)
    for (const lun of group.luns) if (lun !== LUN) await removeLun(host, `${group.path}/lun/${lun}`, op)
    // After the strangers are gone: it may be what kept them out.
    for (const [name, value] of attributesOf(rights)) await ensureAttribute(host, `${group.path}/attrib/${name}`, value)
  }
}

async function revoke(host: Host, target: string, initiator: string, op: Op): Promise<void> {
  backstoreOf(target)
  const groups = (await listGroups(host, target)) ?? []
  for (const group of groups) {
    await ensureAttribute(host, `${group.path}/attrib/generate_node_acls`, '0')
    const acl = group.acls.find(each => each.initiator === initiator)
    if (!acl) continue
    // The last one: nobody else loses a session, and the initiator sees a lost connection instead of an empty target.
    if (group.acls.length === 1 && group.enabled) {
      await switchGroup(host, group.path, false)
      await waitForNoSessions(host, target, op)
    }
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
  for (const group of (await listGroups(host, target)) ?? [])
    if (group.enabled) await switchGroup(host, group.path, false)
  await waitForNoSessions(host, target, op)
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
