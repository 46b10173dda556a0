// What a pool is: the place where the bytes of volumes live, and the only record of which volumes there are.
import type { Host } from '../host/host.ts'
import type { Op } from '../volume/op.ts'
import type { Backing, Bytes, Claim, NodeId, Volume, VolumeId, VolumeSpec } from '../volume/types.ts'

export interface Room {
  /** Bytes that may still be promised. */
  readonly available: Bytes
  /** Bytes that may be promised in all. */
  readonly total: Bytes
}

/**
 * Every method may be called by several processes at once and again after a crash at any instant.
 * Unknown ids throw VolumeNotFound, except in `find` and `delete`.
 */
export interface Pool {
  readonly name: string
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
  /** Removes the bytes and the record. Throws VolumeInUse while a claim exists. */
  delete(id: VolumeId, op: Op): Promise<void>
  /** Never shrinks; fine if the volume is larger already. Throws PoolFull, SizeOutOfRange. */
  grow(id: VolumeId, to: Bytes, op: Op): Promise<Volume>
  room(): Promise<Room>
  backing(id: VolumeId): Promise<Backing>
  /** True only if not a single byte was ever written to the volume and kept. */
  isBlank(id: VolumeId, op: Op): Promise<boolean>
  /** Records a node's right to use the volume; answers the claim that exists, new or old. Throws PublishedElsewhere. */
  claim(id: VolumeId, claim: Claim): Promise<{ claim: Claim; isNew: boolean }>
  release(id: VolumeId, node: NodeId): Promise<void>
  claims(id: VolumeId): Promise<Claim[]>
}

/** A registry entry. */
export interface PoolKind {
  /** Prepares the pool on its host; throws when its place cannot be used. */
  open(host: Host, name: string, config: PoolConfig): Promise<Pool>
}

export interface PoolConfig {
  readonly type: string
  /** Absolute path of the pool's folder. */
  readonly path: string
  /** How often each byte may be promised; 1 promises only what the filesystem can hold. */
  readonly overcommit: number
  readonly sectorSize: 512 | 4096
}
