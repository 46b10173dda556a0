// ControllerModifyVolume: other mutable parameters for a volume that exists; nodes learn of them at the next publish.
import { encodeTuning, parseTuning } from '../schema/tuning.ts'
import type { Op } from '../volume/op.ts'
import type { Parameters, VolumeId } from '../volume/types.ts'
import { type ControllerSite, getVolume } from './site.ts'

/** CSI spec, ControllerModifyVolume. All keys or none; what is not named stays as it is. A repeat is OK. */
export async function modifyVolume(site: ControllerSite, id: VolumeId, given: Parameters, op: Op): Promise<void> {
  const asked = `modify ${id}`
  const changes = encodeTuning(parseTuning(asked, given))
  const { pool } = await getVolume(site, asked, id)
  await pool.modify(id, changes, op)
}
