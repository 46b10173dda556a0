// Decides what is on a device and whether mkfs may run: blkid, wipefs, mkfs.ext4, mkfs.xfs are named here only.
import type { Command, Host } from '../host/host.ts'
import type { FsType } from '../volume/capability.ts'
import { KIB, MIB, SMALLEST_FILESYSTEM } from '../volume/capacity.ts'
import { EffectMissing, RefusesToFormat, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes } from '../volume/types.ts'
import { type Device, firstWrittenPage, flushBuffers, PAGE, readDirect } from './device.ts'
import { runLocked } from './flock.ts'

export type Content =
  | { kind: 'blank' }
  | { kind: 'filesystem'; type: string; uuid: string }
  /** mkfs.xfs was killed: the superblock says so in its sb_inprogress byte, and the kernel refuses to mount it. */
  | { kind: 'unfinished-xfs'; uuid: string }
  /** A partition table, or several signatures: somebody else's. */
  | { kind: 'foreign'; what: string }
  /** A damaged superblock, or bytes that nothing recognises. */
  | { kind: 'unknown'; what: string }

export interface FormatOptions {
  readonly fsType: FsType
  readonly uuid: string
  readonly blockSize?: number
  readonly inodeSize?: number
  /** ext4 only */
  readonly bytesPerInode?: number
  /** ext4 only: blocks kept for root, in percent. */
  readonly reservedPercent?: number
  /** xfs only */
  readonly reflink?: boolean
}

const PROBE_MS = 10_000
/** A warning is logged after this; mkfs itself is never stopped. */
const MKFS_MS = 300_000
/** Offset of sb_inprogress in the xfs superblock, one byte: xfs_dsb in fs/xfs/libxfs/xfs_format.h. */
const XFS_INPROGRESS = 126

/** Reads the device past all caches and says what is there. Throws Unavailable when it cannot be read: unreadable is never blank. */
export async function probe(host: Host, device: Device, op: Op): Promise<Content> {
  await flushBuffers(host, device, op)
  const head = await readDirect(host, device, 0n, Number(4n * KIB), op)
  const low = await readSignatures(host, device.path, op)
  if (low.code === 8) return { kind: 'foreign', what: 'several signatures at once' }
  const { TYPE, UUID, PTTYPE } = low.tags
  if (PTTYPE !== undefined) return { kind: 'foreign', what: `a partition table (${PTTYPE})` }
  if (TYPE === 'xfs' && head.charCodeAt(XFS_INPROGRESS) === 1) return { kind: 'unfinished-xfs', uuid: UUID ?? '' }
  if (TYPE !== undefined) return { kind: 'filesystem', type: TYPE, uuid: UUID ?? '' }
  // blkid answers "nothing" for a damaged superblock too (util-linux 2.39 and later verify checksums); wipefs does not.
  const { stdout } = await host.run(
    {
      file: 'wipefs',
      args: ['--no-act', '--noheadings', '--output', 'OFFSET,TYPE', device.path],
      timeoutMs: PROBE_MS,
      onAbort: 'kill',
    },
    op,
  )
  if (stdout.trim() !== '')
    return { kind: 'unknown', what: `a damaged ${stdout.trim().split(/\s+/).at(-1) ?? 'filesystem'}` }
  const written = await firstWrittenRegion(host, device, op)
  return written === undefined
    ? { kind: 'blank' }
    : { kind: 'unknown', what: `data at offset ${written} that nothing recognises` }
}

/**
 * What blkid finds on a device or in a file, code 2 for nothing. blkid -p answers 2 for "cannot read" too, so whoever
 * decides by it reads the device first.
 */
export async function readSignatures(
  host: Host,
  path: string,
  op: Op,
): Promise<{ code: number; tags: Partial<Record<string, string>> }> {
  const { code, stdout, stderr } = await host.run(
    {
      file: 'blkid',
      args: ['--probe', '--output', 'export', path],
      okCodes: [0, 2, 8],
      timeoutMs: PROBE_MS,
      onAbort: 'kill',
    },
    op,
  )
  if (code === 2 && stderr.trim() !== '') {
    throw new Unavailable({
      asked: `probe ${path}`,
      found: stderr.trim(),
      next: 'check the device and call again',
    })
  }
  const tags = Object.fromEntries(
    stdout.split('\n').flatMap(line => {
      const [, key, value] = /^([A-Z_]+)=(.*)$/.exec(line) ?? []
      return key === undefined || value === undefined ? [] : [[key, value]]
    }),
  )
  return { code, tags }
}

/** Pages where copies of superblocks live, and samples between them. */
function telltalePages(size: Bytes): Bytes[] {
  const ext4Copies = [
    ...[8193n, 24577n, 40961n].map(block => block * KIB), // 1 KiB blocks
    ...[16384n, 49152n].map(block => block * 2n * KIB), // 2 KiB blocks
    ...[32768n, 98304n, 163840n, 229376n, 819200n].map(block => block * 4n * KIB), // 4 KiB blocks: sparse_super, ext4(5)
  ]
  const xfsGroups = [1n, 2n, 3n].map(n => (size / 4n) * n) // four allocation groups by default: mkfs.xfs(8)
  const samples = Array.from({ length: 8 }, (_, n) => (size / 9n) * BigInt(n + 1))
  // Direct reads need aligned offsets: take the page that holds the copy.
  return [...ext4Copies, ...xfsGroups, ...samples]
    .map(offset => (offset / PAGE) * PAGE)
    .filter(offset => offset + PAGE <= size)
}

async function firstWrittenRegion(host: Host, device: Device, op: Op): Promise<Bytes | undefined> {
  const { size } = device
  const edge = size < 2n * MIB ? (size / 2n / PAGE) * PAGE : MIB
  for (const offset of [0n, size - edge - (size % 512n)]) {
    if (/[^\0]/.test(await readDirect(host, device, offset, Number(edge), op))) return offset
  }
  return await firstWrittenPage(host, device, telltalePages(size), op)
}

/**
 * Formats a device that the caller has proved to be blank, or to hold only the remains of its own unfinished format.
 * Never forces: mkfs.xfs refuses by itself where it finds a signature. Proves afterwards that the filesystem is there.
 */
export async function format(host: Host, device: Device, options: FormatOptions, op: Op): Promise<void> {
  const asked = `format ${device.path} as ${options.fsType}`
  if (device.size < SMALLEST_FILESYSTEM[options.fsType]) {
    throw new RefusesToFormat({
      asked,
      found: `it has ${device.size} bytes, ${options.fsType} needs ${SMALLEST_FILESYSTEM[options.fsType]}`,
      next: 'create a larger volume',
    })
  }
  const args = options.fsType === 'ext4' ? ext4Arguments(options) : xfsArguments(options)
  // No time limit and no kill: a killed mkfs.xfs leaves a device that probes as xfs for ever and never mounts.
  // The lock lives as long as mkfs does: whoever stages the volume next, after whatever crash, sees that it still runs.
  const mkfs: Command = {
    file: `mkfs.${options.fsType}`,
    args: [...args, device.path],
    timeoutMs: MKFS_MS,
    onAbort: 'finish',
  }
  await runLocked(host, device.path, mkfs, op)
  const found = await probe(host, device, op)
  if (found.kind !== 'filesystem' || found.type !== options.fsType || found.uuid !== options.uuid) {
    throw new EffectMissing({
      asked,
      found: `mkfs reported success, but the device holds ${describeContent(found)}`,
      next: 'check the device; writes to it get lost',
    })
  }
}

/**
 * Features are pinned so that an older kernel or e2fsck on the next node still reads what this image formatted.
 * metadata_csum_seed (Linux 4.4) makes the UUID of a clone one write of the superblock; without it tune2fs would have to
 * rewrite the checksums of all metadata, and a power cut in the middle would ruin them.
 */
function ext4Arguments(options: FormatOptions): string[] {
  return [
    '-q',
    '-U',
    options.uuid,
    '-b',
    String(options.blockSize ?? 4096),
    ...(options.inodeSize === undefined ? [] : ['-I', String(options.inodeSize)]),
    ...(options.bytesPerInode === undefined ? [] : ['-i', String(options.bytesPerInode)]),
    '-m',
    String(options.reservedPercent ?? 0),
    '-O',
    '^orphan_file,metadata_csum_seed',
    '-E',
    'nodiscard,lazy_itable_init=1,lazy_journal_init=0',
  ]
}

function xfsArguments(options: FormatOptions): string[] {
  return [
    '-q',
    '-K',
    '-m',
    `uuid=${options.uuid},bigtime=1,inobtcount=1,reflink=${options.reflink === false ? 0 : 1}`,
    '-i',
    ['nrext64=0', ...(options.inodeSize === undefined ? [] : [`size=${options.inodeSize}`])].join(),
    ...(options.blockSize === undefined ? [] : ['-b', `size=${options.blockSize}`]),
  ]
}

/** Clears what an unfinished format of ours left in the first page, so that mkfs.xfs without -f accepts the device. */
export async function clearUnfinishedXfs(host: Host, device: Device, op: Op): Promise<void> {
  await host.run(
    {
      file: 'dd',
      args: [
        'if=/dev/zero',
        `of=${device.path}`,
        'bs=4096',
        'count=1',
        'oflag=direct',
        'conv=fsync,notrunc',
        'status=none',
      ],
      timeoutMs: PROBE_MS,
      onAbort: 'finish',
    },
    op,
  )
}

export function describeContent(content: Content): string {
  switch (content.kind) {
    case 'blank':
      return 'nothing'
    case 'filesystem':
      return `a ${content.type} filesystem with UUID ${content.uuid}`
    case 'unfinished-xfs':
      return 'an xfs filesystem whose mkfs did not finish'
    case 'foreign':
    case 'unknown':
      return content.what
  }
}
