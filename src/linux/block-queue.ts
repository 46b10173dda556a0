// The queue of a block device: how far the kernel reads ahead, and whether discards reach the storage below.
import type { Host } from '../host/host.ts'
import { DriverError } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { writeControl } from './control-file.ts'
import type { Device } from './device.ts'

export interface QueueWish {
  /** Decimal; the kernel rounds down to whole pages. */
  readonly readAheadKiB?: string
  readonly discard?: 'on' | 'off'
}

type Named = Pick<Device, 'kname'>

const REMEDY = 'check that /sys is writable for the node plugin'

/**
 * Changes only what is otherwise. Before the read-ahead: Linux 6.18 takes any change of the limits of a queue for a reason to put that back
 * to its default. Throws Unavailable when the kernel refuses.
 */
export async function tuneDiscard(host: Host, { kname }: Named, { discard }: QueueWish, op: Op): Promise<void> {
  const most = await readQueue(host, kname, 'discard_max_bytes')
  if (discard === 'off' && most !== '0' && !outlivesVolume(kname))
    await writeControl(host, at(kname, 'discard_max_bytes'), '0', REMEDY, op)
  if (discard !== 'on' || most !== '0') return
  const able = BigInt((await readQueue(host, kname, 'discard_max_hw_bytes')) ?? 0)
  // The kernel takes whole granules only, and what it says is the most need not be one.
  const granule = BigInt((await readQueue(host, kname, 'discard_granularity')) ?? 0)
  const whole = granule > 1n ? able - (able % granule) : able
  if (whole > 0n) await writeControl(host, at(kname, 'discard_max_bytes'), String(whole), REMEDY, op)
}

/** The same for the read-ahead. */
export async function tuneReadAhead(host: Host, { kname }: Named, { readAheadKiB }: QueueWish, op: Op): Promise<void> {
  if (readAheadKiB !== undefined && (await readQueue(host, kname, 'read_ahead_kb')) !== readAheadKiB)
    await writeControl(host, at(kname, 'read_ahead_kb'), readAheadKiB, REMEDY, op)
}

/**
 * Runs what makes the kernel ask a disk anew. It takes what the disk can do for what is wanted then (Linux 6.1: discards;
 * 6.18: the read-ahead): what was set otherwise is set again. Where that fails it is logged, as it does no harm to data.
 */
export async function keepingQueue(host: Host, disk: Named, op: Op, askAnew: () => Promise<void>): Promise<void> {
  const [readAheadKiB, most, able] = await Promise.all(
    ['read_ahead_kb', 'discard_max_bytes', 'discard_max_hw_bytes'].map(name => readQueue(host, disk.kname, name)),
  )
  await askAnew()
  try {
    if (most === '0' && able !== '0') await tuneDiscard(host, disk, { discard: 'off' }, op)
    await tuneReadAhead(host, disk, readAheadKiB === undefined ? {} : { readAheadKiB }, op)
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    op.log.warn({ cause: error.message }, `a fresh look at ${disk.kname} reset its queue`)
  }
}

/**
 * A loop number is given to one volume after another. Linux 6.18 keeps a refusal of discards with the number, and then
 * takes no other value any more (its granularity is 0, of which nothing is a multiple): no later volume could free space.
 */
function outlivesVolume(kname: string): boolean {
  return kname.startsWith('loop')
}

/** What is otherwise than wished, in words, from the kernel alone. */
export async function queueShortfalls(
  host: Host,
  { path, kname }: Device,
  { readAheadKiB, discard }: QueueWish,
): Promise<string[]> {
  const found: string[] = []
  const readAhead = readAheadKiB === undefined ? undefined : await readQueue(host, kname, 'read_ahead_kb')
  if (readAhead !== readAheadKiB)
    found.push(`readAheadKiB ${readAheadKiB} is not in effect: that of ${path} is ${readAhead ?? 'not known'}`)
  const most = discard === undefined ? undefined : await readQueue(host, kname, 'discard_max_bytes')
  if (discard === 'off' && most !== '0') {
    const why = outlivesVolume(kname)
      ? 'a loop device would keep it for the volume after this one'
      : 'it takes discards'
    found.push(`discard off is not in effect on ${path}: ${why}`)
  }
  if (discard === 'on' && (most ?? '0') === '0')
    found.push(`discard on is not in effect on ${path}: it takes no discards`)
  return found
}

/** undefined when the kernel has no such file. */
async function readQueue(host: Host, kname: string, name: string): Promise<string | undefined> {
  return (await host.files.read(at(kname, name)))?.trim()
}

function at(kname: string, name: string): string {
  return `/sys/block/${kname}/queue/${name}`
}
