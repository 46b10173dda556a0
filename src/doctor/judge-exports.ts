// Verdicts on what is exported over a network: the claims say who may use a volume, and the export must say the same.
import { isAsClaimed } from '../controller/restore-exports.ts'
import type { KeptVolume } from '../pools/pool.ts'
import type { Exported } from '../transports/transport.ts'
import { isNodeName } from '../volume/claim.ts'
import type { VolumeId } from '../volume/types.ts'
import { type Finding, ok, type Subject, trouble } from './finding.ts'
import type { Survey } from './survey.ts'

export function judgeExports({ pools, exports }: Survey): Finding[] {
  const kept = pools.flatMap(({ inventory }) => inventory.volumes)
  return [...exports].flatMap(([transport, exported]) => [
    ...kept.flatMap(each => judgeVolume(transport, each, exported.get(each.id))),
    ...[...exported].flatMap(([id, each]) => judgeStranger(pools, id, each)),
  ])
}

function judgeVolume(transport: string, kept: KeptVolume, exported: Exported | undefined): Finding[] {
  const { id, volume, data, claims, changed, unreadable } = kept
  const own = claims.filter(({ node }) => isNodeName(node))
  if (volume?.transport !== transport || !data || unreadable.length > 0 || (own.length === 0 && !exported)) return []
  const subject: Subject = { kind: 'export', name: id, volume: id, changed, size: exported?.size }
  const repair = { do: 'restore', id } as const
  const remedy = 'none needed while the controller runs: it restores exports every few seconds'
  if (!exported) {
    return [trouble('ghost', subject, { found: 'it is published, but no target exports it', remedy, repair })]
  }
  if (exported.backing !== data.path) {
    const found = `its target shows ${exported.backing || 'nothing'}, not ${data.path}`
    return [trouble('mismatch', subject, { found, remedy: 'stop what uses it, and take that target away by hand' })]
  }
  if (own.length === 0) {
    const found = `it is exported to ${exported.holders.map(({ initiator }) => initiator).join(', ') || 'nobody'}, and published to no node`
    return [trouble('orphan', subject, { found, remedy, repair })]
  }
  if (isAsClaimed(exported, data, own)) return [ok(subject)]
  return [
    trouble('mismatch', subject, { found: 'its rights, size or state are not what its claims say', remedy, repair }),
  ]
}

/** Below one of the pools, and yet of no volume there. */
function judgeStranger(pools: Survey['pools'], id: VolumeId, { backing, size }: Exported): Finding[] {
  const owner = pools.find(({ inventory }) => backing.startsWith(`${inventory.root}/`))
  if (!owner || owner.inventory.volumes.some(each => each.id === id)) return []
  const found = `it shows ${backing}, but pool ${owner.name} has no such volume`
  return [
    trouble(
      'orphan',
      { kind: 'export', name: id, volume: id, size },
      { found, remedy: 'take its target away by hand' },
    ),
  ]
}
