// ControllerExpandVolume: more bytes beside the volume; the node grows device and filesystem afterwards.
import { type CapacityRange, chooseSize, MIB } from '../volume/capacity.ts'
import { SizeOutOfRange } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Bytes, VolumeId } from '../volume/types.ts'
import { type ControllerSite, getExporter, getVolume } from './site.ts'

/** CSI spec, ControllerExpandVolume. Large enough already is OK; the answer is the real size in bytes. */
export async function expandVolume(site: ControllerSite, id: VolumeId, range: CapacityRange, op: Op): Promise<Bytes> {
  const asked = `expand ${id}`
  const { pool, volume } = await getVolume(site, asked, id)
  if (range.limit > 0n && volume.size > range.limit) {
    throw new SizeOutOfRange({
      asked,
      found: `it has ${volume.size} bytes, above limit_bytes ${range.limit}`,
      next: 'volumes cannot shrink; raise limit_bytes',
    })
  }
  const size = chooseSize(asked, range, { minimum: MIB, fallback: volume.size, granularity: pool.granularity })
  const exporter = getExporter(site, asked, volume.transport)
  if (size > volume.size) await exporter.requireGrowable(id, op)
  const grown = await pool.grow(id, size, op)
  // Also when the pool had grown it before: the call that did may have ended here.
  await exporter.grow(grown, await pool.backing(id), op)
  return grown.size
}
