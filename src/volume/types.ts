// The nouns of the CSI spec as this driver uses them.
import type { Capability } from './capability.ts'

/** A number of bytes. Sizes exceed 2^53 in theory and int64 strings in protobuf, so never a JS number. */
export type Bytes = bigint
export type VolumeId = string
export type SnapshotId = string
export type GroupId = string
export type NodeId = string
export type Parameters = Readonly<Record<string, string>>
/** Topology segments of one place: keys carry the driver's prefix. */
export type Segments = Readonly<Record<string, string>>

/** What CreateVolume fixed for ever; the size is not among it, because volumes grow. */
export interface VolumeSpec {
  readonly id: VolumeId
  readonly name: string
  /** Every capability that the volume was created for. */
  readonly capabilities: readonly Capability[]
  /** StorageClass parameters without `csi.storage.k8s.io/*` metadata. */
  readonly parameters: Parameters
  readonly transport: string
  /** Logical sector size of the device; never changes, or filesystems stop mounting. */
  readonly sectorSize: number
  readonly segments: Segments
  /** What this volume was asked to begin as a copy of. */
  readonly contentSource?: ContentSource
  /** The volume whose UUID the copied filesystem bears until it is first staged: the source, or an ancestor of it. */
  readonly contentFrom?: VolumeId
  /** As CreateVolume was given them, without metadata; a copy has its own only. Absent: none. */
  readonly mutableParameters?: Parameters
  /** Its bytes were there before it: it is never formatted. Absent: it began as nothing, or as a copy. */
  readonly adopted?: AdoptedMark
  /** Of a copy: what its filesystem bears until it is first staged, if that is the UUID of no volume. */
  readonly contentUuid?: string
  /** Its bytes go with its publish; the name is kubelet's handle. Absent: they stay until DeleteVolume. */
  readonly ephemeral?: EphemeralMark
}

export interface AdoptedMark {
  /** Where its file was. */
  readonly from: string
  /** Of the filesystem in it, which keeps it. Absent: a volume of raw blocks. */
  readonly uuid?: string
}

export interface EphemeralMark {
  /** The only node that gives it to a pod, and the only one that may find it left over. */
  readonly node: NodeId
}

export type ContentSource =
  | { readonly kind: 'snapshot'; readonly id: SnapshotId }
  | { readonly kind: 'volume'; readonly id: VolumeId }

export interface Volume extends VolumeSpec {
  readonly pool: string
  /** All mutable parameters as ControllerModifyVolume left them. Absent: as the volume was created. */
  readonly modified?: Parameters
  readonly size: Bytes
}

/** What a volume must know of the one whose bytes it begins with; fixed when those were copied. */
export interface Origin {
  readonly volume: VolumeId
  readonly capabilities: readonly Capability[]
  readonly parameters: Parameters
  readonly sectorSize: number
  readonly contentFrom?: VolumeId
  /** What the filesystem may bear that is the UUID of no volume: of one that was adopted, or of an unstaged copy of such. */
  readonly foreignUuid?: string
}

export interface SnapshotSpec {
  readonly id: SnapshotId
  readonly name: string
  readonly source: VolumeId
}

export interface Snapshot extends SnapshotSpec {
  readonly pool: string
  /** Of the volume when it was cut. */
  readonly size: Bytes
  /** Nanoseconds since 1970. */
  readonly created: bigint
  /** Its bytes are complete. */
  readonly ready: boolean
  readonly origin: Origin
  /** It was cut with others, and goes with them only. */
  readonly group?: GroupId
}

export interface GroupSpec {
  readonly id: GroupId
  readonly name: string
  /** In ascending order, each once. */
  readonly sources: readonly VolumeId[]
}

/** Snapshots that were cut at one instant: none of them holds a write whose cause another one lacks. */
export interface Group extends GroupSpec {
  readonly pool: string
  /** Nanoseconds since 1970. */
  readonly created: bigint
  /** In the order of the sources. */
  readonly snapshots: readonly Snapshot[]
}

/** The right of one node to use a volume, from ControllerPublish to ControllerUnpublish. */
export interface Claim {
  readonly node: NodeId
  readonly readonly: boolean
  readonly capability: Capability
  /** True if the volume held no data when this claim was made: nothing at all, or an unfinished format. */
  readonly blank: boolean
  /** Random, another one for each claim: secrets of the publish derive from it. Absent before 0.3.0. */
  readonly nonce?: string
  readonly chap?: ChapTerms
  /** Where the volume has a target of its own: under which LUN this node finds it there. */
  readonly lun?: number
  /** The node reaches the volume through a session that it has for all such volumes; absent: through one of its own. */
  readonly session?: NodeSession
}

/** How a node proves itself, as it was set at the publish: an export that is made again asks for the same. Absent: not at all. */
export interface ChapTerms {
  readonly mode: 'one-way' | 'mutual'
  /** Name of the key that the secrets derive from. */
  readonly key: string
}

/** The same in all claims of a node on volumes of one pool, and another once the last of them is gone. */
export interface NodeSession {
  /** Random: the secrets of the session derive from it. */
  readonly nonce: string
  readonly chap?: ChapTerms
}

/** Travels as publish_context; each transport knows its own keys. Never a secret: it is stored in an API object. */
export type Route = Readonly<Record<string, string>>

/** Where a pool keeps the bytes of a volume. */
export interface Backing {
  readonly path: string
  readonly size: Bytes
}
