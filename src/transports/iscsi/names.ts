// Names on the wire: which target and which serial number a volume has, and which initiator a node is.
import { digest, parseVolumeId } from '../../volume/ids.ts'
import { isIqn } from '../../volume/node-id.ts'
import type { VolumeId } from '../../volume/types.ts'

/** Every name that this driver gives to targets and initiators begins with it. */
const PREFIX = 'iqn.2026-01.dev.ashlar'

/** One target a volume. */
export function targetName(id: VolumeId): string {
  return `${PREFIX}:${id}`
}

/** The volume of a target; undefined for targets that this driver never made. */
export function volumeOfTarget(target: string): VolumeId | undefined {
  const id = target.startsWith(`${PREFIX}:`) ? target.slice(PREFIX.length + 1) : ''
  return parseVolumeId(id) ? id : undefined
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
 * says, do not matter.
 */
export function initiatorName(node: string): string {
  const name = `${PREFIX}:node.${node}`
  return isIqn(name) ? name : `${PREFIX}:node.${digest(node).slice(0, 32)}`
}
