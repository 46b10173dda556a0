// The mark of an unfinished format, on the device itself: written before mkfs and taken away before the first mount.
import { createHash } from 'node:crypto'
import type { Host } from '../host/host.ts'
import { EffectMissing } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes, VolumeId } from '../volume/types.ts'
import { type Device, PAGE, readPages } from './device.ts'
import { holdsData } from './sparse.ts'
import { writeXfsIo } from './xfs-io.ts'

const WRITE_MS = 30_000
/** Both ends belong to mkfs.xfs, which zeroes 128 KiB of them. */
const MARGIN = 64n * PAGE
/**
 * In pages. Multiplied by powers of four they lie far apart, outside of what mkfs writes on most sizes and never all
 * inside it: journals and logs are one stretch of less than a third, and other metadata lies where block groups begin.
 */
const SEEDS = [2861n, 3727n]
/** One would do; the middle of a device is where a log may come to lie. */
const COPIES = 3

/** The page that says so: a pure function of the volume, so that it can be compared byte by byte and never misread. */
export function markerPage(id: VolumeId): string {
  const text = `ashlar: the format of this volume did not finish, and it was never mounted\nvolume ${id}\n`
  const seal = createHash('sha256').update(text).digest('hex')
  return `${text}seal ${seal}\n`.padEnd(Number(PAGE), '.')
}

/**
 * Every place where a marker may be on a device of this size, in bytes, ascending. A larger device has the same places
 * and more, so that a marker is found after an expansion.
 */
export function markerSpots(size: Bytes): Bytes[] {
  const spots: Bytes[] = []
  for (let factor = 1n; factor * (SEEDS[0] ?? 0n) * PAGE < size; factor *= 4n) {
    spots.push(...SEEDS.map(seed => seed * factor * PAGE))
  }
  return spots.filter(spot => spot + MARGIN <= size)
}

/** Where the marker of this volume is on a device, or in the file below one. */
export async function findMarkers(
  host: Host,
  { path, size, direct }: { path: string; size: Bytes; direct: boolean },
  id: VolumeId,
  op: Op,
): Promise<Bytes[]> {
  const spots = markerSpots(size)
  if (spots.length === 0) return []
  const pages = await readPages(host, path, spots, { direct }, op)
  return spots.filter((_, n) => pages[n] === markerPage(id))
}

/** Does the file of this volume hold nothing at all, or a format that did not finish before the first mount? */
export async function isBlankFile(
  host: Host,
  { path, size }: { path: string; size: Bytes },
  id: VolumeId,
  op: Op,
): Promise<boolean> {
  if (!(await holdsData(host, path, op))) return true
  return (await findMarkers(host, { path, size, direct: false }, id, op)).length > 0
}

/** Durable before it returns. */
export async function writeMarkers(host: Host, device: Device, id: VolumeId, op: Op): Promise<void> {
  const spots = markerSpots(device.size).slice(-COPIES)
  for (const spot of spots) {
    const to = [`of=${device.path}`, `seek=${spot}`, 'oflag=direct,seek_bytes', 'conv=notrunc,fsync']
    const args = [`bs=${PAGE}`, 'count=1', 'iflag=fullblock', ...to, 'status=none']
    await host.run({ file: 'dd', args, stdin: markerPage(id), timeoutMs: WRITE_MS, onAbort: 'finish' }, op)
  }
  const found = await findMarkers(host, { ...device, direct: true }, id, op)
  if (!spots.every(spot => found.includes(spot))) throw lost(device, 'mark', 'the marks cannot be read back')
}

/** After this nothing but a person makes the driver format the volume again. Durable, and proved. */
export async function clearMarkers(host: Host, device: Device, id: VolumeId, op: Op): Promise<void> {
  const found = await findMarkers(host, { ...device, direct: true }, id, op)
  if (found.length === 0) return
  const zeroes = found.map(spot => `pwrite -S 0 -b ${PAGE} ${spot} ${PAGE}`)
  await writeXfsIo(host, { path: device.path, direct: true, commands: [...zeroes, 'fsync'] }, op)
  const left = await findMarkers(host, { ...device, direct: true }, id, op)
  if (left.length > 0) throw lost(device, 'clear the marks of the format of', `it still bears ${left.length}`)
}

function lost(device: Device, verb: string, found: string): EffectMissing {
  return new EffectMissing({ asked: `${verb} ${device.path}`, found, next: 'check the device; writes to it get lost' })
}
