// What a copy must know of the volume whose bytes it begins with.
import type { Capability, FsType } from './capability.ts'
import { filesystemUuid } from './ids.ts'
import type { Origin, Parameters, Volume, VolumeId } from './types.ts'

export function originOf(volume: Volume): Origin {
  const { id, capabilities, parameters, sectorSize, contentFrom } = volume
  const foreignUuid = volume.adopted?.uuid ?? volume.contentUuid
  const known = { ...(contentFrom !== undefined && { contentFrom }), ...(foreignUuid !== undefined && { foreignUuid }) }
  return { volume: id, capabilities, parameters, sectorSize, ...known }
}

/** Whose UUID the copied filesystem bears: the volume's own, or, if it was itself a copy and never staged, its source's. */
export function contentFrom({ volume, contentFrom: ancestor }: Origin, uuid: string | undefined): VolumeId {
  return ancestor !== undefined && uuid === filesystemUuid(ancestor) ? ancestor : volume
}

/** The same, with the UUID itself where it is the UUID of no volume. */
export function contentOf(origin: Origin, uuid: string | undefined): { contentFrom: VolumeId; contentUuid?: string } {
  const from = contentFrom(origin, uuid)
  return uuid !== undefined && uuid === origin.foreignUuid
    ? { contentFrom: from, contentUuid: uuid }
    : { contentFrom: from }
}

/** The filesystems that a volume may be mounted with; empty for a volume of blocks alone. */
export function filesystemsOf(capabilities: readonly Capability[], parameters: Parameters): Set<FsType> {
  const fallback = (parameters['fsType'] as FsType | undefined) ?? 'ext4'
  return new Set(capabilities.filter(({ access }) => access === 'mount').map(({ fsType }) => fsType ?? fallback))
}
