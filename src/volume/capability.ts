// Volume capabilities: which access types and modes this driver serves, and which exclude each other.
import { isDeepStrictEqual } from 'node:util'

export const ACCESS_MODES = [
  'SINGLE_NODE_WRITER',
  'SINGLE_NODE_READER_ONLY',
  'MULTI_NODE_READER_ONLY',
  'MULTI_NODE_SINGLE_WRITER',
  'MULTI_NODE_MULTI_WRITER',
  'SINGLE_NODE_SINGLE_WRITER',
  'SINGLE_NODE_MULTI_WRITER',
] as const
export type AccessMode = (typeof ACCESS_MODES)[number]

export const FS_TYPES = ['ext4', 'xfs'] as const
export type FsType = (typeof FS_TYPES)[number]

export interface Capability {
  readonly access: 'mount' | 'block'
  readonly mode: AccessMode
  /** Only for mount; undefined leaves the choice to the StorageClass or the default. */
  readonly fsType?: FsType
  /** Only for mount: mount options in the order they were given. */
  readonly mountFlags: readonly string[]
}

export function isMultiNode(mode: AccessMode): boolean {
  return mode.startsWith('MULTI_NODE')
}

export function isReaderOnly(mode: AccessMode): boolean {
  return mode.endsWith('READER_ONLY')
}

/** May several target paths on one node publish the volume at the same time? (CSI spec, NodePublishVolume table) */
export function allowsManyTargets(mode: AccessMode): boolean {
  // Plain SINGLE_NODE_WRITER is what orchestrators without SINGLE_NODE_MULTI_WRITER send for ReadWriteOnce, and
  // ReadWriteOnce has always allowed several pods of one node.
  return mode !== 'SINGLE_NODE_SINGLE_WRITER'
}

/** Why this driver cannot serve the capability, or undefined if it can. */
export function refusal(capability: Capability): string | undefined {
  const { access, mode } = capability
  if (access === 'mount' && isMultiNode(mode) && !isReaderOnly(mode)) {
    return `access mode ${mode} with a mounted filesystem would let several nodes write one ext4 or xfs`
  }
  return undefined
}

export function isSameCapability(a: Capability, b: Capability): boolean {
  return isDeepStrictEqual({ ...a }, { ...b })
}

/** Can the volume that was created for `offered` be used as `wanted`? The access type and the filesystem must fit. */
export function isCompatible(offered: readonly Capability[], wanted: Capability): boolean {
  return offered.some(
    each =>
      each.access === wanted.access &&
      (each.fsType === undefined || wanted.fsType === undefined || each.fsType === wanted.fsType),
  )
}
