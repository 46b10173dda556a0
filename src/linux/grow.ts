// Growing filesystems to the size of their device: resize2fs and xfs_growfs are named here only.
import type { Host } from '../host/host.ts'
import { EffectMissing, FilesystemUnfit, MissingPrivilege } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes } from '../volume/types.ts'
import type { Device } from './device.ts'

const GROW_MS = 600_000
const READ_MS = 10_000
/** capabilities(7): bit 24, which EXT4_IOC_RESIZE_FS demands. */
const CAP_SYS_RESOURCE = 24n
/** xfs cannot add an allocation group smaller than this many blocks: XFS_MIN_AG_BLOCKS, fs/xfs/libxfs/xfs_fs.h. */
const XFS_MIN_AG_BLOCKS = 64n

export interface Growable {
  readonly device: Device
  /** Where the filesystem is mounted; xfs_growfs wants the mount point, resize2fs the device. */
  readonly path: string
  readonly fsType: string
}

/** Grows a mounted filesystem to its device and proves it; does nothing when it already fills it. */
export async function growFilesystem(host: Host, target: Growable, op: Op): Promise<void> {
  const { device, fsType } = target
  const asked = `grow the ${fsType} filesystem on ${device.path} to ${device.size} bytes`
  const before = await sizeOf(host, target, op)
  // resize2fs without a size argument goes for the size of the device, also downwards.
  if (before.bytes > device.size) throw tooLarge(asked, before.bytes)
  // Of a rest that ext4 may be able to use only resize2fs can tell, and asking it in vain does no harm.
  if (fsType === 'ext4' ? device.size - before.bytes < before.blockSize : fills(before, device)) return
  if (fsType === 'ext4') {
    await requireSysResource(host, asked)
    await host.run({ file: 'resize2fs', args: [device.path], timeoutMs: GROW_MS, onAbort: 'finish' }, op)
  } else {
    await host.run({ file: 'xfs_growfs', args: ['-d', target.path], timeoutMs: GROW_MS, onAbort: 'finish' }, op)
  }
  const after = await sizeOf(host, target, op)
  if (!fills(after, device))
    throw new EffectMissing({
      asked,
      found: `it still has ${after.bytes} bytes`,
      next: 'see the kernel log of the node',
    })
}

/**
 * Before e2fsck, which would note an error in the superblock of an ext4 that is larger than its device. xfs needs no such
 * look: the kernel refuses to mount it.
 */
export async function requireFits(host: Host, device: Device, fsType: string, op: Op): Promise<void> {
  if (fsType !== 'ext4') return
  const { bytes } = await ext4Size(host, device, op)
  if (bytes > device.size) throw tooLarge(`mount the ext4 filesystem on ${device.path}`, bytes)
}

function tooLarge(asked: string, bytes: Bytes): FilesystemUnfit {
  return new FilesystemUnfit({
    asked,
    found: `the filesystem has ${bytes} bytes, more than its device`,
    next: 'stop writing to it; the device was truncated or is the wrong one',
  })
}

interface FsSize {
  readonly bytes: Bytes
  readonly blockSize: Bytes
  readonly slack: Bytes
}

function fills({ bytes, slack }: FsSize, device: Device): boolean {
  return device.size - bytes < slack
}

async function sizeOf(host: Host, target: Growable, op: Op): Promise<FsSize> {
  return target.fsType === 'ext4' ? await ext4Size(host, target.device, op) : await xfsSize(host, target.path, op)
}

async function ext4Size(host: Host, device: Device, op: Op): Promise<FsSize> {
  const { stdout } = await host.run(
    { file: 'dumpe2fs', args: ['-h', device.path], timeoutMs: READ_MS, onAbort: 'kill' },
    op,
  )
  const number = (label: string) =>
    BigInt(new RegExp(`^${label}:\\s+(\\d+)$`, 'm').exec(stdout)?.[1] ?? unreadable(device.path, label))
  const blockSize = number('Block size')
  const perGroup = number('Blocks per group')
  // A last group too small for its own metadata is left out: e2fsprogs lib/ext2fs/initialize.c.
  return { bytes: number('Block count') * blockSize, blockSize, slack: (perGroup / 8n) * blockSize }
}

async function xfsSize(host: Host, path: string, op: Op): Promise<FsSize> {
  const { stdout } = await host.run({ file: 'xfs_info', args: [path], timeoutMs: READ_MS, onAbort: 'kill' }, op)
  const [, blockSize, blocks] = /^data\s+=\s*bsize=(\d+)\s+blocks=(\d+),/m.exec(stdout) ?? []
  const size = BigInt(blockSize ?? unreadable(path, 'data bsize'))
  return {
    bytes: BigInt(blocks ?? unreadable(path, 'data blocks')) * size,
    blockSize: size,
    slack: XFS_MIN_AG_BLOCKS * size,
  }
}

function unreadable(where: string, what: string): never {
  throw new EffectMissing({
    asked: `read the filesystem size of ${where}`,
    found: `no "${what}" in the output`,
    next: 'check the version of the filesystem tools',
  })
}

/** Says plainly what resize2fs would only call "Permission denied". */
async function requireSysResource(host: Host, asked: string): Promise<void> {
  const effective = /^CapEff:\s+([0-9a-f]+)$/m.exec((await host.files.read('/proc/self/status')) ?? '')?.[1]
  if (((BigInt(`0x${effective ?? '0'}`) >> CAP_SYS_RESOURCE) & 1n) === 1n) return
  throw new MissingPrivilege({
    asked,
    found: 'the kernel lets only a process with CAP_SYS_RESOURCE grow a mounted ext4, and this one has not got it',
    next: 'run the node plugin as a privileged container, or add the capability SYS_RESOURCE; the device has grown already',
  })
}
