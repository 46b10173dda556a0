// The operator's override of the permit to format: a volume becomes blank again. No RPC leads here.
import { WIPER } from '../volume/claim.ts'
import { RefusesToFormat } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Claim, VolumeId } from '../volume/types.ts'
import { type ControllerSite, getExporter, getVolume } from './site.ts'

/**
 * Destroys all data of a volume that nothing reaches; the next stage formats it. After a crash the claim stays, and a
 * repeat comes to the end. Throws VolumeNotFound, PublishedElsewhere, VolumeInUse.
 */
export async function wipeVolume(site: ControllerSite, id: VolumeId, op: Op): Promise<void> {
  const asked = `wipe ${id}`
  const { pool, volume } = await getVolume(site, asked, id)
  if (volume.adopted) {
    const found = `its bytes were there before it (${volume.adopted.from}), and it is never formatted`
    throw new RefusesToFormat({ asked, found, next: 'delete the volume, and create another one' })
  }
  const capability = { access: 'block', mode: 'SINGLE_NODE_WRITER', mountFlags: [] } as const
  const claim: Claim = { node: WIPER, readonly: false, capability, blank: false }
  await pool.claim(id, claim)
  try {
    await getExporter(site, asked, volume.transport).requireUnused(id, op)
    await pool.wipe(id, op)
  } finally {
    await pool.release(id, WIPER)
  }
}
