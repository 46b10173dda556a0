// DeleteVolume: the bytes go only when nothing can reach them any more.
import { parseVolumeId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import type { VolumeId } from '../volume/types.ts'
import { type ControllerSite, findVolume, getExporter } from './site.ts'

/** CSI spec, DeleteVolume. A volume that is gone is OK; one in use is FAILED_PRECONDITION and stays untouched. */
export async function deleteVolume(site: ControllerSite, id: VolumeId, op: Op): Promise<void> {
  const located = await findVolume(site, id)
  // A volume whose bytes are still being copied does not exist yet; the copy ends.
  if (!located) return await site.pools.get(parseVolumeId(id)?.pool ?? '')?.delete(id, op)
  const { pool, volume } = located
  await getExporter(site, `delete ${id}`, volume.transport).requireUnused(id, op)
  await pool.delete(id, op)
}
