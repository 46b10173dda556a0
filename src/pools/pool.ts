// What a pool is: the place where the bytes of volumes live, and the only record of which volumes there are.
import type { Host } from '../host/host.ts'
import type { LetGo } from '../volume/let-go.ts'
import type { Op } from '../volume/op.ts'
import type { Range } from '../volume/range.ts'
import type {
  Backing,
  Bytes,
  Claim,
  ContentSource,
  Group,
  GroupId,
  GroupSpec,
  NodeId,
  Parameters,
  Snapshot,
  SnapshotId,
  SnapshotSpec,
  Volume,
  VolumeId,
  VolumeSpec,
} from '../volume/types.ts'

export interface Room {
  /** Bytes that may still be promised. */
  readonly available: Bytes
  /** Bytes that may be promised in all. */
  readonly total: Bytes
  /** Bytes that volumes and snapshots may come to occupy. */
  readonly promised: Bytes
  /** Bytes of the storage below the pool, whoever else uses it, and those of them that nobody uses. */
  readonly size: Bytes
  readonly free: Bytes
}

/** Everything that a pool keeps, as it was found. */
export interface Inventory {
  /** All bytes of the pool lie below this path. */
  readonly root: string
  readonly volumes: readonly KeptVolume[]
  readonly snapshots: readonly KeptSnapshot[]
  readonly groups: readonly KeptGroup[]
  /** Volumes, snapshots and groups that do not exist yet, or any more. */
  readonly remains: readonly Remains[]
  /** Documents that a killed process did not finish writing. */
  readonly drafts: readonly { readonly path: string; readonly changed: Date }[]
}

export interface KeptVolume {
  readonly id: VolumeId
  readonly path: string
  /** undefined when its record is missing or unreadable. */
  readonly volume?: Volume
  readonly createdSize?: Bytes
  /** undefined when its bytes are gone. */
  readonly data?: { readonly path: string; readonly size: Bytes; readonly allocated: Bytes }
  readonly claims: readonly Claim[]
  readonly unreadable: readonly Unreadable[]
  /** When it was last created, published or unpublished. */
  readonly changed: Date
}

export interface KeptSnapshot {
  readonly id: SnapshotId
  readonly path: string
  /** undefined when its record is missing or unreadable. */
  readonly snapshot?: Snapshot
  /** Bytes that it occupies. */
  readonly allocated: Bytes
  /** Of complete bytes; undefined while they are copied, or when they are gone. */
  readonly dataSize?: Bytes
  readonly unreadable: readonly Unreadable[]
  /** When it was cut, or last copied to. */
  readonly changed: Date
}

export interface KeptGroup {
  readonly id: GroupId
  readonly path: string
  /** undefined when its record is missing or unreadable. */
  readonly group?: Group
  /** Those whose bytes are gone, or fewer than there were. */
  readonly damaged: readonly SnapshotId[]
  readonly allocated: Bytes
  readonly unreadable: readonly Unreadable[]
  readonly changed: Date
}

export interface Unreadable {
  readonly path: string
  readonly why: string
}

export interface Remains {
  readonly kind: 'draft' | 'trash'
  readonly path: string
  readonly changed: Date
  /** Old enough that nobody works on it, and claimed by nobody: the next start of the driver removes it. */
  readonly stale: boolean
  readonly claimed: boolean
  readonly allocated: Bytes
}

/**
 * Every method may be called by several processes at once and again after a crash at any instant.
 * Unknown ids throw VolumeNotFound, except in `find` and `delete`.
 */
export interface Pool {
  readonly name: string
  /** Of a pool that can copy volumes: what the driver offers follows from it. */
  readonly snapshots?: Snapshots
  /** Of a pool with snapshots that can cut several at one instant. */
  readonly groups?: Groups
  /** Sizes are multiples of this, in bytes. */
  readonly granularity: Bytes
  /** Of the devices that new volumes get. */
  readonly sectorSize: number
  /** The id of the volume with this name: the same at every call, and no other pool has it, whatever that is called. */
  idFor(name: string): VolumeId
  /** Answers the volume that exists under this id, new or old; the caller compares. Throws PoolFull. */
  create(spec: VolumeSpec, size: Bytes, op: Op): Promise<Volume>
  find(id: VolumeId): Promise<Volume | undefined>
  get(id: VolumeId): Promise<Volume>
  /** Ids in ascending order. */
  list(): Promise<VolumeId[]>
  /**
   * Makes a file on the filesystem of the pool the bytes of a new volume; nothing of it is copied or changed. A repeat goes
   * on. `requireUnused` throws while anything uses the file at a path. Throws PoolFull, IncompatibleExists, InvalidRequest.
   */
  readonly adopt?: (
    spec: VolumeSpec,
    from: string,
    requireUnused: (path: string) => Promise<void>,
    op: Op,
  ) => Promise<void>
  /** Removes the bytes and the record. Throws VolumeInUse while a claim exists. */
  delete(id: VolumeId, op: Op): Promise<void>
  /** Never shrinks; fine if the volume is larger already. Throws PoolFull, SizeOutOfRange. */
  grow(id: VolumeId, to: Bytes, op: Op): Promise<Volume>
  /**
   * Changes these mutable parameters, all at once and durably, and leaves the others as they are. Two processes that change
   * one volume at once both have their way. Throws OperationPending.
   */
  modify(id: VolumeId, changes: Parameters, op: Op): Promise<Volume>
  room(): Promise<Room>
  backing(id: VolumeId): Promise<Backing>
  /** True only if the volume was not adopted and holds nothing at all, or the mark of a format that did not finish before its first mount. */
  isBlank(id: VolumeId, op: Op): Promise<boolean>
  /** Makes the volume blank again: all that is on it is lost. Safe to repeat; the caller holds its only claim. */
  wipe(id: VolumeId, op: Op): Promise<void>
  /** What is wrong with the place of the volume's bytes, in words; for the volume condition. */
  troublesOf(id: VolumeId): Promise<string[]>
  /** Records a node's right to use the volume; answers the claim that exists, new or old. Throws PublishedElsewhere. */
  claim(id: VolumeId, claim: Claim): Promise<{ claim: Claim; isNew: boolean }>
  release(id: VolumeId, node: NodeId): Promise<void>
  claims(id: VolumeId): Promise<Claim[]>
  /** Runs the work while nobody else, in whatever process, changes who may use the volume. Throws OperationPending. */
  alone<T>(id: VolumeId, op: Op, work: () => Promise<T>): Promise<T>
  /** Everything that lies in the pool. Changes nothing; what cannot be read is named, not thrown. */
  inventory(): Promise<Inventory>
  /** Removes one of the inventory's stale remains; fine if it is gone. Throws VolumeInUse for one that is not stale. */
  discard(path: string): Promise<void>
}

/** Proves that nothing reaches the bytes of a volume that nobody has a claim on; throws VolumeInUse. */
export type RequireUnused = () => Promise<void>

/**
 * Snapshots and clones: copies of the bytes at one instant, of a volume in use as a power cut would leave it. Sources and
 * copies go in any order. A pool that cannot copy a volume in use throws VolumeInUse for one; while it copies the bytes of a
 * volume at rest, a claim of its own keeps the nodes away, also after a crash, until a repeat has come to the end.
 */
export interface Snapshots {
  idFor(name: string): SnapshotId
  /**
   * Answers the snapshot that exists under this id, new or old; the caller compares. Its copy may go on when it is not
   * ready; a repeat joins that, or begins it anew. Throws PoolFull, VolumeInUse, OperationPending.
   */
  create(wanted: SnapshotSpec, requireUnused: RequireUnused, op: Op): Promise<Snapshot>
  find(id: SnapshotId): Promise<Snapshot | undefined>
  /** Ids in ascending order. */
  list(): Promise<SnapshotId[]>
  /** Ends its copy if that goes on. Unknown ids are fine. */
  delete(id: SnapshotId, op: Op): Promise<void>
  /**
   * As Pool.create, with the bytes of a snapshot or volume of the same pool, lengthened to the size. Throws OperationPending
   * while the copy goes on, which a repeat joins, and SnapshotNotFound.
   */
  createVolume(spec: CopySpec, size: Bytes, requireUnused: RequireUnused, op: Op): Promise<Volume>
  /**
   * Which bytes of a complete snapshot hold data, from an offset on: whole blocks of 4 KiB, ascending, with gaps between
   * them; the first may begin up to a block before the offset. All others read as zero. Throws BlocksUnknown.
   */
  allocated(snapshot: Snapshot, from: Bytes, op: Op): AsyncIterable<Range>
  /**
   * The same: which bytes of the target may differ from those of the base, another complete snapshot of the same volume
   * that reads as zero behind its end. Ranges that are not named are equal; some that are named may be equal too.
   */
  changed(base: Snapshot, target: Snapshot, from: Bytes, op: Op): AsyncIterable<Range>
}

/** After it, no write reaches the bytes until the answered function is called; that throws Unavailable if one may have. */
export type PauseWrites = () => Promise<LetGo>

/** Snapshots of several volumes at one instant. A group appears with all its snapshots at once, and vanishes with them. */
export interface Groups {
  idFor(name: string): GroupId
  /**
   * Answers the group that exists under this id, new or old; the caller compares. The volumes are paused from before the
   * first cut until after the last. Throws PoolFull, OperationPending, and CannotCutTogether where files cannot be cloned.
   */
  create(wanted: GroupSpec, pause: PauseWrites, op: Op): Promise<Group>
  find(id: GroupId): Promise<Group | undefined>
  /** With all its snapshots. Unknown ids are fine. */
  delete(id: GroupId, op: Op): Promise<void>
  /** Takes back what dead processes left of groups that never came to be, after `resume` for each volume that was paused. */
  abandon(resume: (source: VolumeId) => Promise<void>, op: Op): Promise<void>
}

export type CopySpec = VolumeSpec & { readonly contentSource: ContentSource }

/** A registry entry. */
export interface PoolKind {
  /** Prepares the pool on its host; throws when its place cannot be used. */
  open(host: Host, name: string, config: PoolConfig): Promise<Pool>
  /** The same for a visitor, who changes nothing and makes nothing: throws also when there is no pool yet. */
  visit(host: Host, name: string, config: PoolConfig): Promise<Pool>
}

export interface PoolConfig {
  readonly type: string
  /** Absolute path of the pool's folder. */
  readonly path: string
  /** How often each byte may be promised; 1 promises only what the filesystem can hold. */
  readonly overcommit: number
  readonly sectorSize: 512 | 4096
}
