// Block devices as the kernel shows them in /sys, and reads that go past the page cache.
import type { Command, Host } from '../host/host.ts'
import { CommandFailed, EffectMissing, Unavailable, WrongDevice } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes } from '../volume/types.ts'
import { runLocked } from './flock.ts'
import { NotYet, waitFor } from './wait.ts'
import { askXfsIo } from './xfs-io.ts'

export interface Device {
  /** /dev/loop0 */
  readonly path: string
  /** loop0: its name under /sys/block. */
  readonly kname: string
  /** 7:0, as in mountinfo. */
  readonly number: string
  readonly size: Bytes
  readonly sectorSize: number
  readonly readonly: boolean
  /** Counts what was ever attached under this name or another: another number is another disk. '' before Linux 5.15. */
  readonly sequence: string
}

/** What request data may never reach: only names that a kernel gives to disks we serve. */
const KNAME = /^(?:loop\d+|sd[a-z]+|dm-\d+)$/
const DIRECT_READ_MS = 10_000

/** Could the kernel have given this name to a disk that we serve? */
export function isKernelName(name: string): boolean {
  return KNAME.test(name)
}

/** undefined when the kernel has no such device. */
export async function findDevice(host: Host, kname: string): Promise<Device | undefined> {
  if (!isKernelName(kname)) return undefined
  const at = `/sys/block/${kname}`
  const [number, sectors, readonly, sectorSize, sequence] = await Promise.all(
    ['dev', 'size', 'ro', 'queue/logical_block_size', 'diskseq'].map(name => host.files.read(`${at}/${name}`)),
  )
  if (number === undefined || sectors === undefined) return undefined
  return {
    path: `/dev/${kname}`,
    kname,
    number: number.trim(),
    size: BigInt(sectors.trim()) * 512n, // /sys/block/*/size counts 512-byte units always: Documentation/ABI/stable/sysfs-block
    sectorSize: Number(sectorSize?.trim() ?? 512),
    readonly: readonly?.trim() === '1',
    sequence: sequence?.trim() ?? '',
  }
}

/** The device with this MAJOR:MINOR, if it is one of the kinds we serve. */
export async function findDeviceByNumber(host: Host, number: string): Promise<Device | undefined> {
  const event = await host.files.read(`/sys/dev/block/${number}/uevent`)
  const kname = /^DEVNAME=(.+)$/m.exec(event ?? '')?.[1]
  return kname === undefined ? undefined : await findDevice(host, kname)
}

/** Waits until the device is there, has at least the size that was promised, and answers a read. */
export async function waitForDevice(host: Host, kname: string, atLeast: Bytes, op: Op): Promise<Device> {
  const device = await waitFor(
    { asked: `wait for /dev/${kname}`, timeoutMs: 15_000 },
    async () => {
      const found = await findDevice(host, kname)
      if (!found) throw new NotYet('it does not exist')
      if (found.size === 0n) throw new NotYet('it has no size') // an unbound loop; blkid would call it blank
      return found
    },
    op,
  )
  if (device.size < atLeast) {
    throw new WrongDevice({
      asked: `use ${device.path}`,
      found: `it has ${device.size} bytes, the volume has ${atLeast}`,
      next: 'nothing was written; check what the device is backed by',
    })
  }
  await readDirect(host, device, 0n, 4096, op)
  return device
}

/** Bytes from the device itself, not from a cache, one character a byte. Throws Unavailable when they cannot be read. */
export async function readDirect(
  host: Host,
  device: Device,
  offset: Bytes,
  length: number,
  op: Op,
  timeoutMs = DIRECT_READ_MS,
): Promise<string> {
  const asked = `read ${length} bytes of ${device.path} at ${offset}`
  const complain = (found: string, cause?: unknown) =>
    new Unavailable(
      { asked, found, next: 'the device is there but does not answer; check what it is backed by' },
      { cause },
    )
  try {
    const { stdout } = await host.run(
      {
        file: 'dd',
        args: [
          `if=${device.path}`,
          `bs=${length}`,
          'count=1',
          `skip=${offset}`,
          'iflag=direct,skip_bytes,fullblock',
          'status=none',
        ],
        timeoutMs,
        onAbort: 'kill',
        encoding: 'latin1',
      },
      op,
    )
    if (stdout.length !== length) throw complain(`only ${stdout.length} bytes came`)
    return stdout
  } catch (error) {
    if (error instanceof CommandFailed) throw complain(error.message, error)
    throw error
  }
}

export const PAGE = 4096n

/** The pages at these offsets of a device or file, one character a byte. Throws Unavailable when one cannot be read. */
export async function readPages(
  host: Host,
  path: string,
  offsets: readonly Bytes[],
  { direct }: { direct: boolean },
  op: Op,
): Promise<string[]> {
  const commands = offsets.map(offset => `pread -v -b ${PAGE} ${offset} ${PAGE}`)
  const stdout = await askXfsIo(host, { path, direct, commands }, op)
  const read = [...stdout.matchAll(/^read (\d+)\/\d+ bytes at offset (\d+)$/gm)]
  if (
    read.length !== offsets.length ||
    read.some(([, bytes, at], n) => bytes !== String(PAGE) || at !== String(offsets[n]))
  ) {
    throw new Unavailable({
      asked: `read ${offsets.length} pages of ${path}`,
      found: `only ${read.length} came`,
      next: 'the device is there but does not answer; check what it is backed by',
    })
  }
  // The lines of each page stand before its "read ..." line.
  const pages = stdout
    .split(/^read .*$/m)
    .slice(0, -1)
    .map(parsePage)
  if (pages.every(page => page.length === Number(PAGE))) return pages
  throw new EffectMissing({
    asked: `read ${offsets.length} pages of ${path}`,
    found: 'xfs_io reported pages that it did not print',
    next: 'check the version of xfsprogs',
  })
}

/** "00001000:  00 00 53 ef ...  ..S.": an offset, sixteen bytes, and the same as text. */
function parsePage(block: string): string {
  const hex = [...block.matchAll(/^[0-9a-f]+:((?: +[0-9a-f]{2}){16})/gm)].map(([, bytes = '']) => bytes)
  return Buffer.from(hex.join('').replaceAll(' ', ''), 'hex').toString('latin1')
}

/** The first of these pages that holds anything but zeros, past the page cache. Throws Unavailable when one cannot be read. */
export async function firstWrittenPage(
  host: Host,
  device: Device,
  offsets: readonly Bytes[],
  op: Op,
): Promise<Bytes | undefined> {
  const pages = await readPages(host, device.path, offsets, { direct: true }, op)
  return offsets.find((_, n) => /[^\0]/.test(pages[n] ?? ''))
}

/** Numbers of devices that are stacked on this one and keep it busy (device-mapper, MD). */
export async function holdersOf(host: Host, device: Device): Promise<string[]> {
  return (await host.files.list(`/sys/block/${device.kname}/holders`)) ?? []
}

/** Filesystems that the kernel keeps alive on the device, also for mounts in other namespaces, which mountinfo hides. */
export async function liveFilesystems(host: Host, device: Device): Promise<string[]> {
  const candidates = ['ext4', 'xfs'].map(fs => `/sys/fs/${fs}/${device.kname}`)
  const present = await Promise.all(candidates.map(path => host.files.list(path)))
  return candidates.filter((_, n) => present[n] !== undefined)
}

/**
 * Writes and discards that have reached the device since it was made, and writes that are under way, as one text: the same
 * text twice means that there was none in between. Documentation/block/stat.rst. Throws Unavailable when they cannot be read.
 */
export async function writesTo(host: Host, { path, kname }: Pick<Device, 'path' | 'kname'>): Promise<string> {
  const at = `/sys/block/${kname}`
  const [stat, inflight] = await Promise.all([`${at}/stat`, `${at}/inflight`].map(each => host.files.read(each)))
  const counters = stat?.trim().split(/\s+/) ?? []
  const underWay = inflight?.trim().split(/\s+/)[1]
  const [writes, sectors, discards = '0'] = [counters[4], counters[6], counters[11]]
  if (writes !== undefined && sectors !== undefined && underWay !== undefined)
    return `${writes} writes of ${sectors} sectors, ${discards} discards, ${underWay} under way`
  throw new Unavailable({ asked: `count the writes to ${path}`, found: 'the kernel shows none', next: 'call again' })
}

/** Makes buffered readers see what is on the device. Throws Unavailable while a tool of ours still works on it. */
export async function flushBuffers(host: Host, device: Device, op: Op): Promise<void> {
  const flush: Command = { file: 'blockdev', args: ['--flushbufs', device.path], timeoutMs: 60_000, onAbort: 'finish' }
  await runLocked(host, device.path, flush, op)
}

/**
 * Has anything taken the device for itself: a filesystem, in whatever mount namespace, a mapper, swap, a tool? BLKBSZSET
 * does so for a moment, and fails when it cannot. The size is the one that the kernel chooses anyway.
 */
export async function isClaimed(host: Host, device: Device, op: Op): Promise<boolean> {
  const { code, stderr } = await host.run(
    {
      file: 'blockdev',
      args: ['--setbsz', '4096', device.path],
      okCodes: [0, 1],
      timeoutMs: DIRECT_READ_MS,
      onAbort: 'kill',
    },
    op,
  )
  if (code === 0 || /busy/i.test(stderr)) return code !== 0
  throw new Unavailable({
    asked: `take ${device.path} for a moment`,
    found: stderr.trim(),
    next: 'check the device and call again',
  })
}

/** Takes the read-only flag off a device that is not read-only by nature. Throws EffectMissing when it stays. */
export async function makeWritable(host: Host, device: Device, op: Op): Promise<Device> {
  await host.run({ file: 'blockdev', args: ['--setrw', device.path], timeoutMs: 10_000, onAbort: 'finish' }, op)
  const now = await findDevice(host, device.kname)
  if (now?.readonly === false) return now
  throw new EffectMissing({
    asked: `make ${device.path} writable`,
    found: 'it is still read-only',
    next: 'check whether the file below it, or the filesystem that holds that, is read-only',
  })
}
