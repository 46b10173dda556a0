// The documents that the file pool keeps beside the bytes; each is written once and never changed, but for `modified`.
import { Unavailable } from '../volume/errors.ts'
import type { Claim, GroupId, Origin, Parameters, SnapshotSpec, VolumeId, VolumeSpec } from '../volume/types.ts'

/** Raised when a reader of the old version would misread the new one; unknown versions are refused, not guessed. */
const VERSION = 1
/** Of a claim with a session: who does not know that would take the right away from another target than it was given at. */
const WITH_SESSION = 2

export interface PoolDocument {
  readonly uuid: string
}

export function encodePool(pool: PoolDocument): string {
  return encode('pool', pool)
}

export function parsePool(text: string, path: string): PoolDocument {
  return parse('pool', text, path) as PoolDocument
}

export interface VolumeDocument extends VolumeSpec {
  /** Bytes when it was created: volumes grow, but a file with fewer has lost some. Absent before 0.2.0. */
  readonly createdSize?: string
}

export function encodeVolume(volume: VolumeDocument): string {
  return encode('volume', volume)
}

export function parseVolume(text: string, path: string): VolumeDocument {
  return parse('volume', text, path) as VolumeDocument
}

/** All mutable parameters of a volume, also those that were not changed. */
export function encodeModified(parameters: Parameters): string {
  return encode('modified', parameters)
}

export function parseModified(text: string, path: string): Parameters {
  return parse('modified', text, path) as Parameters
}

export interface SnapshotDocument extends SnapshotSpec {
  /** Bytes of the volume when the snapshot was cut. */
  readonly size: string
  /** Bytes that the volume occupied then: the most that the snapshot will. */
  readonly occupied: string
  /** Nanoseconds since 1970. */
  readonly created: string
  readonly origin: Origin
}

export function encodeSnapshot(snapshot: SnapshotDocument): string {
  return encode('snapshot', snapshot)
}

export function parseSnapshot(text: string, path: string): SnapshotDocument {
  return parse('snapshot', text, path) as SnapshotDocument
}

export interface GroupDocument {
  readonly id: GroupId
  readonly name: string
  /** Nanoseconds since 1970. */
  readonly created: string
  /** In ascending order of the sources: the bytes of the first are in `data.0`. */
  readonly members: readonly MemberDocument[]
}

export interface MemberDocument {
  readonly source: VolumeId
  /** Bytes of the volume when it was cut. */
  readonly size: string
  readonly origin: Origin
}

export function encodeGroup(group: GroupDocument): string {
  return encode('group', group)
}

export function parseGroup(text: string, path: string): GroupDocument {
  return parse('group', text, path) as GroupDocument
}

/** Whose writes are held while a group is cut. */
export interface PauseDocument {
  readonly sources: readonly VolumeId[]
}

export function encodePause(pause: PauseDocument): string {
  return encode('pause', pause)
}

export function parsePause(text: string, path: string): PauseDocument {
  return parse('pause', text, path) as PauseDocument
}

export function encodeClaim(claim: Claim): string {
  return encode('claim', claim, claim.session ? WITH_SESSION : VERSION)
}

export function parseClaim(text: string, path: string): Claim {
  return parse('claim', text, path, [VERSION, WITH_SESSION]) as Claim
}

function encode(kind: string, content: object, version = VERSION): string {
  return `${JSON.stringify({ kind, version, content }, undefined, 2)}\n`
}

function parse(kind: string, text: string, path: string, versions = [VERSION]): unknown {
  const complain = (found: string, cause?: unknown) =>
    new Unavailable(
      { asked: `read ${path}`, found, next: 'restore the file, or use the version of the driver that wrote it' },
      { cause },
    )
  let document: { kind?: unknown; version?: unknown; content?: unknown }
  try {
    document = JSON.parse(text) as typeof document
  } catch (error) {
    throw complain('it is not JSON', error)
  }
  if (document.kind !== kind || !versions.some(each => each === document.version)) {
    const wanted = `${kind} version ${versions.join(' or ')}`
    throw complain(`it is ${String(document.kind)} version ${String(document.version)}, not ${wanted}`)
  }
  return document.content
}
