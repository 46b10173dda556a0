// Exports that vanished with a reboot of the storage host, or a restart of its daemon, come back; those of nobody go.
import type { Pool } from '../pools/pool.ts'
import type { Exported, Exporter } from '../transports/transport.ts'
import { requireSharable } from '../volume/claim.ts'
import { VolumeNotFound } from '../volume/errors.ts'
import { parseVolumeId } from '../volume/ids.ts'
import { parseNodeId } from '../volume/node-id.ts'
import type { Op } from '../volume/op.ts'
import type { Backing, Claim, VolumeId } from '../volume/types.ts'
import { type ControllerSite, changeRights, getExporter, getVolume, type Located } from './site.ts'

/**
 * Makes the exports of every volume what its claims say. One that cannot be restored is logged, and tried again at the
 * next look; the others do not wait for it. Answers how many were changed. Never throws.
 */
export async function restoreExports(site: ControllerSite, op: Op): Promise<number> {
  let changed = 0
  for (const [transport, exporter] of site.exporters) {
    if (exporter.isLocal) continue
    const started = Date.now()
    const before = changed
    try {
      const exports = await exporter.exports(op)
      for (const id of await idsOf(site)) {
        if (await restoreOrWarn(site, { transport, exporter, id, seen: exports.get(id) }, op)) changed += 1
      }
      await exporter.settle(op)
    } catch (error) {
      op.log.warn({ transport, cause: String(error) }, 'could not look at the exports')
    }
    if (changed > before)
      op.log.info({ transport, exports: changed - before, ms: Date.now() - started }, 'exports restored')
  }
  return changed
}

/** The same for one volume. Throws what keeps it from being done. */
export async function restoreExport(site: ControllerSite, id: VolumeId, op: Op): Promise<void> {
  const located = await getVolume(site, `restore the export of ${id}`, id)
  const exporter = getExporter(site, `restore the export of ${id}`, located.volume.transport)
  await restore(exporter, located, (await exporter.exports(op, id)).get(id), op)
  await exporter.settle(op)
}

async function idsOf({ pools }: ControllerSite): Promise<VolumeId[]> {
  return (await Promise.all([...pools.values()].map(pool => pool.list()))).flat()
}

interface Look {
  readonly transport: string
  readonly exporter: Exporter
  readonly id: VolumeId
  /** The export as it was when all were listed. */
  readonly seen: Exported | undefined
}

async function restoreOrWarn(site: ControllerSite, { transport, exporter, id, seen }: Look, op: Op): Promise<boolean> {
  try {
    // Most volumes have neither: one look into a folder is enough for them, at each of the many rounds.
    const pool = site.pools.get(parseVolumeId(id)?.pool ?? '')
    if (!pool || (!seen && (await claimsOver(exporter, pool, id)).length === 0)) return false
    const volume = await pool.find(id)
    if (volume?.transport !== transport) return false
    return await restore(exporter, { pool, volume }, seen, op)
  } catch (error) {
    if (error instanceof VolumeNotFound) return false
    op.log.warn({ volume: id, cause: String(error) }, 'could not restore an export')
    return false
  }
}

async function restore(exporter: Exporter, located: Located, seen: Exported | undefined, op: Op): Promise<boolean> {
  const { id } = located.volume
  if (!(await findDue(exporter, located, seen))) return false
  return await changeRights(exporter, located, op, async () => {
    // All of it anew: what a call made meanwhile is not made again.
    const due = await findDue(exporter, located, (await exporter.exports(op, id)).get(id))
    if (!due) return false
    const [first, ...others] = due.claims
    // A publish that was cut short may have left a claim beside one that it conflicts with: nobody gets more by that.
    for (const claim of others) requireSharable(id, claim, [first ?? claim, ...others])
    if (first) await exporter.export(located.volume, due.backing, [first, ...others], op)
    else await exporter.withdraw(id, op)
    return true
  })
}

interface Due {
  readonly backing: Backing
  /** None: nothing is to be left. */
  readonly claims: readonly Claim[]
}

/** What has to be exported instead of what is seen; undefined when that is right. Throws for an export that is none of ours. */
async function findDue(
  exporter: Exporter,
  { pool, volume }: Located,
  seen: Exported | undefined,
): Promise<Due | undefined> {
  const claims = await claimsOver(exporter, pool, volume.id)
  if (claims.length === 0 && !seen) return undefined
  const backing = await pool.backing(volume.id)
  if (claims.length > 0 && seen && isAsClaimed(seen, backing, claims)) return undefined
  // That of a namesake in a pool of somebody else; one that shows nothing yet was not finished.
  if (seen && seen.backing !== backing.path && seen.backing !== '') {
    throw new Error(`its target shows ${seen.backing}, not ${backing.path}; it is left alone`)
  }
  return { backing, claims }
}

/** Those that an export serves. Who empties a volume holds a claim as well, and is no node. */
async function claimsOver({ reaches }: Exporter, pool: Pool, id: VolumeId): Promise<Claim[]> {
  return (await pool.claims(id)).filter(({ node }) => reaches(node))
}

/** Does the export give each claim what it says, and nobody else anything? */
export function isAsClaimed(
  { enabled, size, holders, backing }: Exported,
  kept: Pick<Backing, 'path' | 'size'>,
  claims: readonly Claim[],
): boolean {
  const isHeld = (claim: Claim) =>
    holders.some(
      ({ initiator, readonly }) => initiator === parseNodeId(claim.node).initiator && readonly === claim.readonly,
    )
  const isWhole = enabled && backing === kept.path && size === kept.size
  return isWhole && holders.length === claims.length && claims.every(isHeld)
}
