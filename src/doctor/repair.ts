// What --repair does: only what loses nothing, alone with the volume, and only if the trouble is still there.
import { restoreExport } from '../controller/restore-exports.ts'
import { detachLoop } from '../linux/losetup.ts'
import { settle } from '../node/recover.ts'
import { findConnected } from '../node/site.ts'
import { Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { type Finding, keyOf, type Repair } from './finding.ts'
import { judge } from './judge.ts'
import { type Sites, survey } from './survey.ts'

/** Throws what keeps it from being done. */
export async function repair(sites: Sites, finding: Finding, op: Op): Promise<void> {
  const { repair: what } = finding
  if (what) await carryOut(sites, finding, what, op)
}

async function carryOut(sites: Sites, finding: Finding, what: Repair, op: Op): Promise<void> {
  const { controller, node } = sites
  const { journal, host } = node
  switch (what.do) {
    case 'settle':
      return await settle(node, what.id, op)
    case 'forget':
      return await journal.alone(what.id, op, async () => {
        await requireStill(sites, finding, op)
        await journal.remove(what.id)
      })
    case 'forget-target':
      return await journal.alone(what.id, op, async () => {
        await requireStill(sites, finding, op)
        const entry = await journal.find(what.id)
        if (entry) await journal.write({ ...entry, targets: entry.targets.filter(({ path }) => path !== what.path) })
      })
    case 'detach':
      return await journal.alone(what.id, op, async () => {
        await requireStill(sites, finding, op)
        await detachLoop(host, what.device, op)
      })
    case 'disconnect':
      return await journal.alone(what.id, op, async () => {
        await requireStill(sites, finding, op)
        const connected = await findConnected(node, what.id, op)
        await connected?.connector.disconnect(what.id, op)
      })
    case 'restore':
      await requireStill(sites, finding, op)
      return await restoreExport(controller, what.id, op)
    case 'discard':
      await requireStill(sites, finding, op)
      return await controller.pools.get(what.pool)?.discard(what.path)
    case 'remove-draft':
      await requireStill(sites, finding, op)
      return await host.files.removeFile(what.path)
  }
}

/** A driver may have gone on since the look that found it. */
async function requireStill(sites: Sites, finding: Finding, op: Op): Promise<void> {
  const now = judge(await survey(sites, op)).find(each => keyOf(each) === keyOf(finding))
  const isSameDevice =
    now?.repair?.do !== 'detach' ||
    (finding.repair?.do === 'detach' && now.repair.device.sequence === finding.repair.device.sequence)
  if (now && isSameDevice) return
  throw new Unavailable({
    asked: `mend ${finding.kind} ${finding.name}`,
    found: 'it is not as it was a moment ago',
    next: 'look again; perhaps nothing is wrong any more',
  })
}
