// Names on the wire: which target and which serial number a volume has, and which initiator a node is.
import { InvalidRequest } from '../../volume/errors.ts'
import { digest, isPoolName, parseVolumeId } from '../../volume/ids.ts'
import { encodeNodeId, isIqn } from '../../volume/node-id.ts'
import type { VolumeId } from '../../volume/types.ts'

/** Every name that this driver gives to targets and initiators begins with it. */
const PREFIX = 'iqn.2026-01.dev.ashlar'
/** Kubernetes registers no node with a longer id (csiNodeIDMaxLength); CSI allows 256 bytes. */
const LONGEST_NODE_ID = 192

/** A target that shows nothing, to nobody; see tgt.ts. */
export const EMPTY_TARGET = `${PREFIX}:empty`

/** One target a volume. */
export function targetName(id: VolumeId): string {
  return `${PREFIX}:${id}`
}

/** The volume of a target; undefined for targets that this driver never made. */
export function volumeOfTarget(target: string): VolumeId | undefined {
  const id = target.startsWith(`${PREFIX}:`) ? target.slice(PREFIX.length + 1) : ''
  return parseVolumeId(id) ? id : undefined
}

/** The same. Throws InvalidRequest for a target that this driver never made. */
export function requireVolumeOfTarget(target: string): VolumeId {
  const id = volumeOfTarget(target)
  if (id !== undefined) return id
  throw new InvalidRequest({ asked: `use the target ${target}`, found: 'it is no volume’s', next: 'leave it alone' })
}

/** The target of a node for the volumes of one pool; no volume's target and no initiator is ever called so. */
export function nodeTargetName(pool: string, initiator: string): string {
  return `${PREFIX}:node-${pool}-${digest(initiator).slice(0, 32)}`
}

/** undefined for whatever is no target of a node. */
export function poolOfNodeTarget(target: string): string | undefined {
  const [, pool = ''] = /^:node-(.+)-[0-9a-f]{32}$/.exec(target.slice(PREFIX.length)) ?? []
  return target.startsWith(PREFIX) && isPoolName(pool) ? pool : undefined
}

/** 31 bits: more are too many for scans (max_lun of iscsi_tcp) and for iscsiadm. */
export const LUNS = 2 ** 31

/**
 * The same number, or another where Linux makes no disk: 0xc1 in bits 8 to 15 is what a well-known logical unit looks like
 * (SPC-4 7.4; SCSI_W_LUN_BASE of the kernel), one number in 256.
 */
export function usableLun(lun: number): number {
  return (lun & 0xff00) === 0xc100 ? lun ^ 0x4000 : lun
}

/**
 * The LUN of a volume below a node's target: of this publish only, and never another volume's. A disk that a node kept from
 * before would come to life again, and write, if its number was given away.
 */
export function lunOf(id: VolumeId, nonce: string): number {
  return usableLun(Number.parseInt(digest(`ashlar lun ${id} ${nonce}`).slice(0, 8), 16) % LUNS || 1)
}

/** The volume of a pool that a unit with this serial number is. */
export function volumeOfSerial(pool: string, serial: string): VolumeId | undefined {
  const id = `vol-${pool}-${serial}`
  return parseVolumeId(id) && id
}

/**
 * The unit serial number: 32 hexadecimal digits that are the volume's own. LIO makes the NAA identifier of the first 25,
 * tgt has room for 36 characters.
 */
export function serialOf(id: VolumeId): string {
  return parseVolumeId(id)?.hash ?? ''
}

/**
 * The name of a node's initiator follows from the node's: cloned machines, and whatever /etc/iscsi/initiatorname.iscsi
 * says, do not matter. A digest stands in where the node's name is none for an initiator, or leaves no room for it in the id.
 */
export function initiatorName(node: string): string {
  const name = `${PREFIX}:node.${node}`
  const hasRoom = Buffer.byteLength(encodeNodeId({ name: node, initiator: name })) <= LONGEST_NODE_ID
  return isIqn(name) && hasRoom ? name : `${PREFIX}:node.${digest(node).slice(0, 32)}`
}
