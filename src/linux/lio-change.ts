// Changes of LIO through configfs: each is a few system calls, is safe to repeat, and says what the kernel refused.
import { join } from 'node:path'
import type { Host } from '../host/host.ts'
import { isCode } from '../host/local-files.ts'
import { DriverError, EffectMissing, MissingPrivilege, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Secret } from '../volume/secret.ts'
import type { Backing } from '../volume/types.ts'
import {
  aclPath,
  type Backstore,
  FABRIC,
  isUnset,
  LINK,
  LIO,
  LUN,
  linksIn,
  mappedLuns,
  readAttribute,
  targetPath,
  UNSET,
} from './lio.ts'
import { closingSilentLogins } from './lio-logins.ts'
import { ensureModules } from './modprobe.ts'
import { NotYet, waitFor } from './wait.ts'

/** Those that serve files and other backstores the kernel loads itself, with the first backstore. */
const MODULES = [
  { module: 'target_core_mod', shownBy: LIO },
  { module: 'iscsi_target_mod', shownBy: '/sys/module/iscsi_target_mod' },
]
/** Ending a session waits for its I/O; a disk that takes longer does not answer. */
const GONE_MS = 10_000

/** Makes the kernel offer iSCSI targets. Throws Unavailable when it has none. */
export async function ensureFabric(host: Host, op: Op): Promise<void> {
  if (await host.files.list(FABRIC)) return
  await ensureModules(host, MODULES, op)
  try {
    await host.files.makeDirectory(FABRIC)
  } catch (error) {
    throw new Unavailable(
      {
        asked: 'use the iSCSI target of the kernel',
        found: `${FABRIC} cannot be made: ${messageOf(error)}`,
        next: 'mount configfs at /sys/kernel/config: mount -t configfs none /sys/kernel/config',
      },
      { cause: error },
    )
  }
}

export interface BackstoreOrder {
  readonly file: Backing
  readonly serial: string
  readonly sectorSize: number
  readonly attributes: Readonly<Record<string, string>>
}

/** Completes a backstore that no LUN shows yet; of one that a LUN shows, only the attributes can change. */
export async function ensureBackstore(
  host: Host,
  path: string,
  present: Backstore | undefined,
  { file, serial, sectorSize, attributes }: BackstoreOrder,
): Promise<void> {
  if (!present) await make(host, path)
  if (!present || (await readAttribute(host, `${path}/enable`)) !== '1') {
    await set(host, `${path}/control`, `fd_dev_name=${file.path},fd_dev_size=${file.size}`)
    await set(host, `${path}/enable`, '1')
  }
  if (present?.serial !== serial) await set(host, `${path}/wwn/vpd_unit_serial`, serial)
  // Only now: the kernel sets it to its own choice when it opens the file.
  await ensureAttribute(host, `${path}/attrib/block_size`, String(sectorSize))
  await ensureAttributes(host, path, attributes, !present)
}

/** Shows another size, to initiators that have it open too; they see it when they look again. */
export async function resizeBackstore(host: Host, path: string, size: bigint): Promise<void> {
  await set(host, `${path}/control`, `fd_dev_size=${size}`)
}

/** Writes an attribute that has another value. */
export async function ensureAttribute(host: Host, path: string, value: string): Promise<void> {
  if ((await readAttribute(host, path)) !== value) await set(host, path, value)
}

/** Of something new there is nothing to be spared: a write costs less than a look. */
export async function ensureAttributes(
  host: Host,
  folder: string,
  values: Readonly<Record<string, string>>,
  isNew: boolean,
): Promise<void> {
  for (const [name, value] of Object.entries(values)) {
    const path = `${folder}/attrib/${name}`
    if (isNew) await set(host, path, value)
    else await ensureAttribute(host, path, value)
  }
}

export async function ensureGroup(host: Host, group: string): Promise<void> {
  await make(host, group)
}

/** The LUN of the group shows the backstore; it must not show anything else. */
export async function linkLun(host: Host, group: string, backstore: string, lun = LUN): Promise<void> {
  await make(host, `${group}/lun/${lun}`)
  await link(host, `${group}/lun/${lun}`, backstore)
}

/** The initiator may log in, if it needs no secret. */
export async function ensureAcl(host: Host, group: string, initiator: string): Promise<void> {
  await make(host, aclPath(group, initiator))
}

export interface Mapping {
  readonly initiator: string
  readonly readonly: boolean
  /** Names of the LUN of the group, and of the same as the initiator is to see it. */
  readonly lun: string
  readonly as: string
}

/** The initiator sees the LUN; from the first instant not to write if it may not. */
export async function mapLun(host: Host, group: string, { initiator, readonly, lun, as }: Mapping): Promise<void> {
  const mapped = `${aclPath(group, initiator)}/${as}`
  const protect = readonly ? '1' : '0'
  if ((await readAttribute(host, `${mapped}/write_protect`)) === '') {
    // What a new mapping begins with: afterwards would leave an instant in which a reader can write.
    await ensureAttribute(host, `${group}/attrib/prod_mode_write_protect`, protect)
    await make(host, mapped)
    await link(host, mapped, `${group}/lun/${lun}`)
  }
  await ensureAttribute(host, `${mapped}/write_protect`, protect)
}

/** What an initiator, and for `mutual` the target, must know. */
export interface Auth {
  readonly user: string
  readonly password: Secret
  readonly mutual?: { readonly user: string; readonly password: Secret }
}

/** Of an ACL: whether its initiator must prove itself is said by the group. */
export const AS_THE_GROUP = '-1'

/** The initiator's user comes last: without it nobody logs in, so that no half of this is ever in force. */
export async function ensureAuth(host: Host, acl: string, auth: Auth | undefined): Promise<void> {
  const at = (name: string) => `${acl}/auth/${name}`
  const clear = async (name: string) => {
    if (!isUnset(await readAttribute(host, at(name)))) await set(host, at(name), UNSET)
  }
  // Its own word would count more than the group's; before Linux 6.0 it has none.
  if (await readAttribute(host, `${acl}/attrib/authentication`)) {
    await ensureAttribute(host, `${acl}/attrib/authentication`, AS_THE_GROUP)
  }
  if ((await readAttribute(host, at('userid'))) !== auth?.user) await clear('userid')
  if (auth?.mutual) {
    await set(host, at('password_mutual'), auth.mutual.password)
    await ensureAttribute(host, at('userid_mutual'), auth.mutual.user)
  } else {
    await clear('userid_mutual')
    await clear('password_mutual')
  }
  if (!auth) return await clear('password')
  await set(host, at('password'), auth.password)
  await ensureAttribute(host, at('userid'), auth.user)
}

export async function ensurePortals(host: Host, group: string, wanted: readonly string[], op: Op): Promise<void> {
  const present = (await host.files.list(`${group}/np`)) ?? []
  for (const portal of wanted) if (!present.includes(portal)) await makePortal(host, group, portal)
  for (const portal of present) if (!wanted.includes(portal)) await removePortal(host, group, portal, op)
}

async function makePortal(host: Host, group: string, portal: string): Promise<void> {
  const asked = `listen at ${portal}`
  try {
    await host.files.makeDirectory(`${group}/np/${portal}`)
  } catch (error) {
    const told = tell(asked, error)
    if (!(told instanceof EffectMissing)) throw told
    // EINVAL for whatever bind(2) says.
    const next = 'check iscsi.portals, and whether something else listens there (ss --listening --tcp)'
    throw new Unavailable({ asked, found: `the kernel refused: ${messageOf(error)}`, next }, { cause: error })
  }
}

async function removePortal(host: Host, group: string, portal: string, op: Op): Promise<void> {
  await untilGone(host, `${group}/np/${portal}`, op, () => host.files.removeDirectory(`${group}/np/${portal}`))
}

/** 1: initiators may log in. 0: none may, and those that have are thrown out. */
export async function switchGroup(host: Host, group: string, enabled: boolean): Promise<void> {
  await ensureAttribute(host, `${group}/enable`, enabled ? '1' : '0')
}

/** Takes a right away; ends its sessions, and waits for what they were writing. */
export async function removeAcl(host: Host, acl: string, op: Op): Promise<void> {
  const portals = (await host.files.list(join(acl, '../../np'))) ?? []
  await untilGone(host, acl, op, async isFirst => {
    for (const lun of await mappedLuns(host, acl)) await removeLinked(host, `${acl}/${lun}`, isFirst)
    await closingSilentLogins(host, portals, () => host.files.removeDirectory(acl), op)
  })
}

/** From now on the kernel refuses every command of the initiator to this LUN; those that it took before may go on. */
export async function unmapLun(host: Host, acl: string, lun: string, op: Op): Promise<void> {
  await untilGone(host, `${acl}/${lun}`, op, isFirst => removeLinked(host, `${acl}/${lun}`, isFirst))
}

/** Takes a LUN away that no ACL maps. The kernel waits for all commands that it took for it: core_tpg_remove_lun. */
export async function removeLun(host: Host, lun: string, op: Op): Promise<void> {
  await untilGone(host, lun, op, isFirst => removeLinked(host, lun, isFirst))
}

/** Our own link is tried first without a look; only others take one. */
async function removeLinked(host: Host, folder: string, isFirst: boolean): Promise<void> {
  for (const name of isFirst ? [LINK] : await linksIn(host, folder)) await host.files.removeFile(`${folder}/${name}`)
  await host.files.removeDirectory(folder)
}

/** Ends all sessions of a group, and takes all of it away. */
export async function removeGroup(host: Host, group: string, op: Op): Promise<void> {
  const names = async (folder: string) => (await host.files.list(`${group}/${folder}`)) ?? []
  await switchGroup(host, group, false)
  for (const name of await names('acls')) await removeAcl(host, `${group}/acls/${name}`, op)
  for (const name of await names('lun')) await removeLun(host, `${group}/lun/${name}`, op)
  for (const name of await names('np')) await removePortal(host, group, name, op)
  await untilGone(host, group, op, () => host.files.removeDirectory(group))
}

export async function removeTarget(host: Host, target: string, op: Op): Promise<void> {
  const path = targetPath(target)
  for (const name of (await host.files.list(path)) ?? [])
    if (name.startsWith('tpgt_')) await removeGroup(host, `${path}/${name}`, op)
  await untilGone(host, path, op, () => host.files.removeDirectory(path))
}

/** After this the kernel has its file open no more. */
export async function removeBackstore(host: Host, path: string, op: Op): Promise<void> {
  await untilGone(host, path, op, () => host.files.removeDirectory(path))
}

/** Repeats the removal while the kernel says that something still uses what is to go. */
async function untilGone(host: Host, path: string, op: Op, remove: (isFirst: boolean) => Promise<void>): Promise<void> {
  let isFirst = true
  await waitFor(
    { asked: `remove ${path}`, timeoutMs: GONE_MS },
    async () => {
      try {
        await remove(isFirst)
      } catch (error) {
        if (BUSY.some(code => isCode(error, code))) throw new NotYet(`something still uses it (${messageOf(error)})`)
        throw tell(`remove ${path}`, error)
      } finally {
        isFirst = false
      }
      if (await host.files.list(path)) throw new NotYet('it is still there')
    },
    op,
  )
}

async function make(host: Host, path: string): Promise<void> {
  await attempt(`make ${path}`, () => host.files.makeDirectory(path))
}

async function link(host: Host, folder: string, destination: string): Promise<void> {
  await attempt(`link ${folder} to ${destination}`, () => host.files.link(`${folder}/${LINK}`, destination))
}

async function set(host: Host, path: string, value: string | Secret): Promise<void> {
  await attempt(`set ${path}`, () => host.files.write(path, value))
}

const BUSY = ['EBUSY', 'ENOTEMPTY']
const WORTH_A_RETRY = [...BUSY, 'ENOMEM', 'ENOSPC', 'ETIMEDOUT', 'EIO']

async function attempt<T>(asked: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw tell(asked, error)
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Gives an errno the shape that callers can be told. */
function tell(asked: string, error: unknown): unknown {
  if (error instanceof DriverError || error instanceof NotYet) return error
  const is = (codes: readonly string[]) => codes.some(code => isCode(error, code))
  const finding = { asked, found: `the kernel refused: ${messageOf(error)}`, next: 'see the kernel log; call again' }
  if (is(['EPERM', 'EACCES', 'EROFS']))
    return new MissingPrivilege({ ...finding, next: 'run the controller as root, with /sys/kernel/config writable' })
  return is(WORTH_A_RETRY) ? new Unavailable(finding, { cause: error }) : new EffectMissing(finding, { cause: error })
}
