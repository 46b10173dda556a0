// DeleteSnapshot: volumes that were made of it, and the volume that it is of, do not need it.
import { parseSnapshotId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import type { SnapshotId } from '../volume/types.ts'
import type { ControllerSite } from './site.ts'

/** CSI spec, DeleteSnapshot. One that is gone, or never was, is OK. */
export async function deleteSnapshot(site: ControllerSite, id: SnapshotId, op: Op): Promise<void> {
  await site.pools.get(parseSnapshotId(id)?.pool ?? '')?.snapshots?.delete(id, op)
}
