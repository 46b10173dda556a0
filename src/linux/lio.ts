// LIO, the kernel's target, as configfs shows it: where things are, and what is there. Changes are made by lio-change.ts.
import { resolve } from 'node:path'
import type { Host } from '../host/host.ts'
import type { Bytes } from '../volume/types.ts'

/** Documentation/target/tcm_mod_builder.rst and drivers/target describe the layout. */
export const LIO = '/sys/kernel/config/target'
export const FABRIC = `${LIO}/iscsi`
/** One for all volumes. targetcli counts from 0 and would need 10^9 backstores to meet it: "ASHR" in ASCII. */
export const HBA = `${LIO}/core/fileio_1095977042`
export const LUN = 'lun_0'
export const lunName = (lun: number): string => `lun_${lun}`

export const targetPath = (target: string): string => `${FABRIC}/${target}`
export const groupPath = (target: string, group = 'tpgt_1'): string => `${targetPath(target)}/${group}`
export const aclPath = (group: string, initiator: string): string => `${group}/acls/${initiator}`
export const backstorePath = (name: string): string => `${HBA}/${name}`

/** What serves the bytes of one LUN. */
export interface Backstore {
  readonly path: string
  /** '' before it was given one. */
  readonly file: string
  readonly size: Bytes
  readonly serial: string
  readonly sectorSize: number
  /** Every write is on the disk before it is acknowledged: the file is open with O_DSYNC. */
  readonly durable: boolean
}

export type Access = 'none' | 'read-only' | 'read-write'

/** The right of one initiator. */
export interface Acl {
  readonly path: string
  readonly initiator: string
  /** To what its first LUN shows. */
  readonly access: Access
  /** Names of the LUNs that the initiator sees, or that were about to be shown. */
  readonly luns: readonly string[]
  /** What it must know to log in; '' for nothing. */
  readonly user: string
  readonly sessions: number
}

/** A target portal group: the part of a target that may be enabled. */
export interface Group {
  readonly path: string
  readonly enabled: boolean
  /** May only log in who proves itself; true while nobody may. */
  readonly authenticates: boolean
  /** What its LUN 0 shows, whatever number its initiators see; a path of configfs. */
  readonly shows: string | undefined
  readonly acls: readonly Acl[]
}

/** Content of an attribute without the line end; '' when it is absent. */
export async function readAttribute(host: Host, path: string): Promise<string> {
  return (await host.files.read(path))?.replace(/\n$/, '') ?? ''
}

/** Names of all iSCSI targets of this host, and of the backstores that stand in our HBA. */
export async function listNames(host: Host): Promise<{ targets: string[]; backstores: string[] }> {
  const [targets, backstores] = await Promise.all([host.files.list(FABRIC), host.files.list(HBA)])
  return { targets: targets ?? [], backstores: backstores ?? [] }
}

/** undefined when there is none of this path. */
export async function findBackstore(host: Host, path: string): Promise<Backstore | undefined> {
  const info = await host.files.read(`${path}/info`)
  if (info === undefined) return undefined
  const serial = await readAttribute(host, `${path}/wwn/vpd_unit_serial`)
  // transport_dump_dev_state and fd_show_configfs_dev_params; the path may contain anything but a comma and a line end.
  const [, file = '', size = '0', mode = ''] = /File: (.*) {2}Size: (\d+) {2}Mode: (\S+)/.exec(info) ?? []
  return {
    path,
    file: file.trim(),
    size: BigInt(size),
    serial: serial.replace(/^T10 VPD Unit Serial Number: ?/, ''),
    sectorSize: Number(/SectorSize: (\d+)/.exec(info)?.[1] ?? 0),
    durable: mode === 'O_DSYNC',
  }
}

/** The groups of a target: of ours one at most. undefined when there is no such target. */
export async function listGroups(host: Host, target: string): Promise<Group[] | undefined> {
  const names = await host.files.list(targetPath(target))
  if (!names) return undefined
  const groups = names.filter(name => name.startsWith('tpgt_')).map(name => findGroup(host, groupPath(target, name)))
  return (await Promise.all(groups)).filter(group => group !== undefined)
}

async function findGroup(host: Host, path: string): Promise<Group | undefined> {
  const enabled = await readAttribute(host, `${path}/enable`)
  if (enabled === '') return undefined
  const [authentication, initiators, shows] = await Promise.all([
    // While the kernel disables a group and waits for its sessions, this waits too.
    enabled === '1' ? readAttribute(host, `${path}/attrib/authentication`) : '',
    host.files.list(`${path}/acls`),
    lunShows(host, path, LUN),
  ])
  const acls = await Promise.all((initiators ?? []).map(initiator => findAcl(host, path, initiator)))
  return {
    path,
    enabled: enabled === '1',
    authenticates: authentication !== '0',
    shows,
    acls: acls.filter(acl => acl !== undefined),
  }
}

async function findAcl(host: Host, group: string, initiator: string): Promise<Acl | undefined> {
  const path = aclPath(group, initiator)
  const [info, luns, user] = await Promise.all([
    host.files.read(`${path}/info`),
    mappedLuns(host, path),
    readAttribute(host, `${path}/auth/userid`),
  ])
  if (info === undefined) return undefined
  return {
    path,
    initiator,
    access: luns[0] === undefined ? 'none' : await accessTo(host, path, luns[0]),
    luns,
    user: isUnset(user) ? '' : user,
    sessions: [...info.matchAll(/^LIO Session ID:/gm)].length,
  }
}

/** By what the kernel does and not by what is linked. */
export async function accessTo(host: Host, acl: string, lun: string): Promise<Access> {
  const protect = await readAttribute(host, `${acl}/${lun}/write_protect`)
  // Empty for a LUN that is not mapped, also for one whose link outlived the LUN that it leads to.
  return protect === '0' ? 'read-write' : protect === '1' ? 'read-only' : 'none'
}

export interface Lun {
  readonly name: string
  /** A path of configfs; undefined for one that shows nothing yet or any more. */
  readonly shows: string | undefined
}

export async function listLuns(host: Host, group: string): Promise<Lun[]> {
  const names = ((await host.files.list(`${group}/lun`)) ?? []).filter(isLun)
  return await Promise.all(names.map(async name => ({ name, shows: await lunShows(host, group, name) })))
}

/** LUNs that an ACL names. */
export async function mappedLuns(host: Host, acl: string): Promise<string[]> {
  return ((await host.files.list(acl)) ?? []).filter(isLun)
}

function isLun(name: string): boolean {
  return /^lun_\d+$/.test(name)
}

/** The kernel takes NULL for "forget it", and shows the word from then on: __DEF_NACL_AUTH_STR, iscsi_target_configfs.c. */
export const UNSET = 'NULL'

export function isUnset(text: string): boolean {
  return text === '' || text.startsWith(UNSET)
}

/** How this driver names its links; the names mean nothing to the kernel. */
export const LINK = 'ashlar'

/** The path of configfs that the LUN leads to. There is one link at most, whatever its name. */
export async function lunShows(host: Host, group: string, name: string): Promise<string | undefined> {
  const lun = `${group}/lun/${name}`
  const own = await host.files.readLink(`${lun}/${LINK}`)
  const [other] = own === undefined ? await linksIn(host, lun) : []
  const destination = other === undefined ? own : await host.files.readLink(`${lun}/${other}`)
  return destination === undefined ? undefined : resolve(lun, destination)
}

/** Names of the symbolic links in a folder of configfs. */
export async function linksIn(host: Host, folder: string): Promise<string[]> {
  const names = (await host.files.list(folder)) ?? []
  const kinds = await Promise.all(names.map(async name => (await host.files.facts(`${folder}/${name}`))?.kind))
  return names.filter((_, n) => kinds[n] === 'other')
}
