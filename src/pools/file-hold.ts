// Keeps all nodes away from a volume while its bytes are copied one by one, also when the process that copies dies.
import { randomBytes } from 'node:crypto'
import { copierTo, describeHolder, isNodeName, targetOfCopier } from '../volume/claim.ts'
import { DriverError, OperationPending, PublishedElsewhere, VolumeInUse } from '../volume/errors.ts'
import { parseSnapshotId } from '../volume/ids.ts'
import type { Op } from '../volume/op.ts'
import type { Claim, NodeId, SnapshotId, VolumeId } from '../volume/types.ts'
import { copyAlone, type Place } from './file-place.ts'
import type { Pool } from './pool.ts'

/** A right that was not taken away in between is the same right. */
export interface Hold {
  readonly source: VolumeId
  readonly target: SnapshotId | VolumeId
  readonly nonce: string
  /** It was not held before: nobody knows what happened to the volume until now. */
  readonly isNew: boolean
}

/** Throws VolumeInUse when a node has the volume, OperationPending when it is being copied elsewhere. */
export async function hold(
  pool: Pool,
  asked: string,
  { source, target }: Pick<Hold, 'source' | 'target'>,
): Promise<Hold> {
  const node = copierTo(target)
  await requireNobody(pool, asked, source, node)
  const wanted: Claim = {
    node,
    readonly: true,
    capability: { access: 'block', mode: 'SINGLE_NODE_WRITER', mountFlags: [] },
    blank: false,
    nonce: randomBytes(16).toString('hex'),
  }
  try {
    const { claim, isNew } = await pool.claim(source, wanted)
    return { source, target, nonce: claim.nonce ?? '', isNew }
  } catch (error) {
    // Somebody came in this very instant.
    if (!(error instanceof VolumeInUse || error instanceof PublishedElsewhere)) throw error
    await requireNobody(pool, asked, source, node)
    throw new OperationPending({ asked, found: 'somebody else wanted the volume at the same time', next: 'call again' })
  }
}

async function requireNobody(pool: Pool, asked: string, source: VolumeId, but: NodeId): Promise<void> {
  const other = (await pool.claims(source)).find(({ node }) => node !== but)
  if (!other) return
  const found = `${source}: ${describeHolder(other)}`
  if (!isNodeName(other.node)) throw new OperationPending({ asked, found, next: 'call again' })
  throw new VolumeInUse({
    asked,
    found: `${found}, and pool ${pool.name} cannot clone files at one instant`,
    next: 'unpublish it first, or keep such volumes in a pool on xfs or btrfs',
  })
}

/** After the last byte was read: whoever got the volume in between wrote to it for all we know. */
export async function requireHeld(pool: Pool, asked: string, { source, target, nonce }: Hold): Promise<void> {
  const own = (await pool.claims(source)).find(each => each.node === copierTo(target))
  if (own?.nonce === nonce) return
  throw new VolumeInUse({ asked, found: `${source} was given away while it was copied`, next: 'call again' })
}

/** Takes away the holds of copies whose process died and that nothing came of: whoever copies has the target's lock. */
export async function releaseDead(place: Place, pool: Pool, op: Op): Promise<void> {
  const isUnfinished = async (id: string) => (await pool.snapshots?.find(id))?.ready === false
  for (const source of await pool.list()) {
    try {
      for (const { node } of await pool.claims(source)) {
        const target = targetOfCopier(node)
        if (target === undefined) continue
        const release = async () => {
          // The bytes of a snapshot that was cut must stay as they are until they are copied.
          if (parseSnapshotId(target) && (await isUnfinished(target))) return
          await pool.release(source, node)
          op.log.warn({ volume: source, target }, 'a copy did not come to its end; nodes may have its source again')
        }
        await copyAlone(place, target, op, release)
      }
    } catch (error) {
      // It is being copied now, or cannot be read: neither keeps the driver from starting.
      if (!(error instanceof DriverError)) throw error
      op.log.info({ volume: source, cause: error.message }, 'left as it is')
    }
  }
}
