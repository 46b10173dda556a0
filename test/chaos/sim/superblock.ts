// Superblocks as bytes, what mkfs writes step by step, and what blkid makes of a first page.
import type { FsType } from '../../../src/volume/capability.ts'

export const PAGE = 4096

export interface FsImage {
  readonly type: FsType
  uuid: string
  size: bigint
  everMounted: boolean
  /** It was not unmounted: its journal holds what its tables do not. */
  needsReplay: boolean
  /** Metadata by page number: a change of one of them by anybody else is damage. */
  pages: Map<number, string>
  /** Files of the workload that are durable, and those that only memory has. */
  files: Map<string, string>
  unwritten: Map<string, string>
  owner: string
  mode: string
}

/** What one step of mkfs leaves on the device; the last one makes the filesystem whole. */
export interface MkfsStep {
  readonly name: string
  readonly pages: ReadonlyMap<number, string>
  /** Pages from the first to before the second are zeroed. */
  readonly log: readonly [number, number]
}

const bytesOf = (uuid: string): Buffer => Buffer.from(uuid.replaceAll('-', ''), 'hex')

function page(fill: (bytes: Buffer) => void): string {
  const bytes = Buffer.alloc(PAGE)
  fill(bytes)
  return bytes.toString('latin1')
}

/** Of block 0: magic at 1080, UUID at 1128 (ext4), or magic at 0, UUID at 32, sb_inprogress at 126 (xfs). */
export function superblock(type: FsType, uuid: string, inProgress = false): string {
  return page(bytes => {
    if (type === 'ext4') {
      bytes.writeUInt16LE(0xef53, 1080)
      bytesOf(uuid).copy(bytes, 1128)
    } else {
      bytes.write('XFSB', 0, 'latin1')
      bytesOf(uuid).copy(bytes, 32)
      bytes.writeUInt8(inProgress ? 1 : 0, 126)
    }
  })
}

export interface Signature {
  readonly type: string
  readonly uuid: string
  readonly inProgress: boolean
}

/** What a prober finds in the first page; several when it holds the marks of several. */
export function signaturesOf(first: string): Signature[] {
  const bytes = Buffer.from(first, 'latin1')
  const uuidAt = (at: number) =>
    bytes
      .subarray(at, at + 16)
      .toString('hex')
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  const found: Signature[] = []
  if (first.startsWith('XFSB')) found.push({ type: 'xfs', uuid: uuidAt(32), inProgress: bytes[126] === 1 })
  if (bytes.readUInt16LE(1080) === 0xef53) found.push({ type: 'ext4', uuid: uuidAt(1128), inProgress: false })
  if (first.startsWith('LUKS\xba\xbe')) found.push({ type: 'crypto_LUKS', uuid: uuidAt(168), inProgress: false })
  return found
}

/** Belongs to nobody afterwards. */
const ENDS = 'ends zeroed'

const inner = (what: string, n: number): string => page(bytes => bytes.write(`${what} ${n}`, 'latin1'))

/**
 * The order in which mkfs writes: mkfs.ext4 the primary superblock last, so a killed one leaves no signature; mkfs.xfs
 * first, with sb_inprogress set, so a killed one probes as xfs. Both begin by zeroing what stands at the ends.
 */
export function mkfsSteps(type: FsType, uuid: string, size: bigint): MkfsStep[] {
  const count = Number(size / BigInt(PAGE))
  const zeros = '\0'.repeat(PAGE)
  const head = Array.from({ length: type === 'ext4' ? 1 : 32 }, (_, n) => n)
  const tail = Array.from({ length: type === 'ext4' ? 16 : 32 }, (_, n) => count - 1 - n)
  const ends = new Map([...head, ...tail].map(n => [n, zeros]))
  const quarter = Math.floor(count / 4)
  const log = [2 * quarter, 2 * quarter + Math.floor(quarter / 2)] as const
  const none = [0, 0] as const
  const metadata = new Map<number, string>()
  if (type === 'ext4') {
    for (const n of [1, 2, 3, 64, 32768].filter(each => each < count - 64)) metadata.set(n, inner('ext4 metadata', n))
    metadata.set(Math.floor(count / 2), inner('ext4 journal', 0))
    return [
      { name: ENDS, pages: ends, log: none },
      { name: 'no superblock yet', pages: metadata, log },
      { name: 'whole', pages: new Map([[0, superblock(type, uuid)]]), log: none },
    ]
  }
  for (const n of [1, quarter, 2 * quarter, 3 * quarter]) metadata.set(n, inner('xfs metadata', n))
  return [
    { name: ENDS, pages: ends, log: none },
    { name: 'superblock in progress', pages: new Map([[0, superblock(type, uuid, true)]]), log: none },
    { name: 'all but the last write', pages: metadata, log },
    { name: 'whole', pages: new Map([[0, superblock(type, uuid)]]), log: none },
  ]
}

export function newImage(type: FsType, uuid: string, size: bigint, steps: readonly MkfsStep[]): FsImage {
  return {
    type,
    uuid,
    size,
    everMounted: false,
    needsReplay: false,
    pages: new Map(steps.filter(({ name }) => name !== ENDS).flatMap(step => [...step.pages])),
    files: new Map(),
    unwritten: new Map(),
    owner: '0:0',
    mode: '0755',
  }
}
