// After a restart: what an earlier process began and did not end is taken back, so that nothing is left that nobody asks for.
import type { Op } from '../volume/op.ts'
import type { VolumeId } from '../volume/types.ts'
import { getHome, sweepEphemeral } from './ephemeral.ts'
import type { Entry } from './journal.ts'
import { withdrawTarget } from './publish-volume.ts'
import type { NodeSite } from './site.ts'
import { withdrawStage } from './unstage-volume.ts'

/**
 * An interrupted stage or publish was never answered, so it is rolled back; an interrupted unstage or unpublish is
 * brought to its end. Nothing is formatted, checked or grown here. A volume that cannot be settled is logged and left:
 * the next call for it meets the same facts. Of ephemeral volumes those go that no pod was given, or whose unpublish had
 * begun. Never throws.
 */
export async function recover(site: NodeSite, op: Op): Promise<void> {
  try {
    const all = await site.journal.inventory()
    // Side by side: one that cannot be read, or hangs, must not keep the others from being settled.
    await Promise.all(
      all.map(async noted => {
        if ('unreadable' in noted) op.log.error({ cause: noted.unreadable }, 'an entry of the journal is unreadable')
        if ('entry' in noted && isInterrupted(noted.entry)) await settleOrWarn(site, noted.entry.id, op)
      }),
    )
  } catch (error) {
    op.log.error({ cause: String(error) }, 'could not read the journal')
    return
  }
  await sweepEphemeral(site, op)
}

/** Begun and not seen to end: interrupted, or under way in another process. */
export function isInterrupted({ doing, targets }: Entry): boolean {
  return doing !== undefined || targets.some(target => target.doing !== undefined)
}

/** Waits for a call that is under way: what it leaves is settled. Throws what keeps it from doing so. */
export async function settle(site: NodeSite, id: VolumeId, op: Op): Promise<void> {
  await site.journal.alone(id, op, async () => {
    // Read again: a call may have settled it while this waited for its turn.
    const entry = await site.journal.find(id)
    if (entry && isKeptForPod(entry)) return
    const begun = entry?.targets.filter(target => target.doing) ?? []
    for (const { path } of begun) await withdrawTarget(site, `settle ${id} at ${path}`, id, path, op)
    const last = async () => (entry?.ephemeral ? await getHome(`settle ${id}`, site).remove(id, op) : undefined)
    if (entry?.doing) await withdrawStage(site, `settle ${id}`, id, entry.stagingPath, op, last)
    op.log.info({ volume: id, doing: entry?.doing, targets: begun.length }, 'settled what an earlier process began')
  })
}

/** A pod's own volume, as after a reboot: rolled back to nothing its data would be gone. kubelet publishes it again, or unpublishes it. */
export function isKeptForPod({ doing, ephemeral }: Entry): boolean {
  return doing === 'stage' && ephemeral === 'published'
}

async function settleOrWarn(site: NodeSite, id: VolumeId, op: Op): Promise<void> {
  try {
    await settle(site, id, op)
  } catch (error) {
    op.log.warn({ volume: id, cause: String(error) }, 'could not settle what an earlier process began')
  }
}
