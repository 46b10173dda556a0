// Beside the bytes: which nodes may log in to the target of a volume follows from its claims, and from nothing else.
import type { Host } from '../../host/host.ts'
import type { IscsiSettings } from '../../schema/config.ts'
import { PublishedElsewhere, VolumeInUse } from '../../volume/errors.ts'
import { parseNodeId } from '../../volume/node-id.ts'
import type { Claim, Route, VolumeId } from '../../volume/types.ts'
import type { Exported, Exporter } from '../transport.ts'
import { deriveChap, type Keys, readKeys } from './chap.ts'
import { serialOf, targetName, volumeOfTarget } from './names.ts'
import { type ChapRoute, encodeIscsiRoute } from './route.ts'
import type { ExportDocument, Right, Shown, Target } from './target.ts'

export function createExporter(host: Host, settings: IscsiSettings, target: Target): Exporter {
  const readOwnKeys = () => readKeys(host.files, settings.chapKeyFile ?? '')
  return {
    isLocal: false,
    reaches: node => parseNodeId(node).initiator !== undefined,
    async terms() {
      const { chap: mode } = settings
      if (mode === 'none') return {}
      const [key = ''] = (await readOwnKeys()).keys()
      return { chap: { mode, key } }
    },
    async export(volume, backing, claims, op) {
      const { id, sectorSize } = volume
      requireOwnInitiators(id, claims)
      const keys = claims.some(({ chap }) => chap) ? await readOwnKeys() : new Map()
      const document: ExportDocument = {
        target: targetName(id),
        serial: serialOf(id),
        backing,
        sectorSize,
        portals: settings.portals,
        rights: claims.map(claim => rightOf(id, claim, keys)),
      }
      await target.apply(document, op)
      return routeOf(document, claims[0], chapOf(claims[0]), target.lun)
    },
    async unexport(id, node, op) {
      const { initiator } = parseNodeId(node)
      if (initiator !== undefined) await target.revoke(targetName(id), initiator, op)
      const left = await target.find(targetName(id), op)
      if (left?.initiators.length === 0) await target.remove(left.target, op)
    },
    withdraw: (id, op) => target.remove(targetName(id), op),
    async requireGrowable(id, op) {
      if (target.growsOnline) return
      const shown = await target.find(targetName(id), op)
      if (shown) throw cannotGrow(id, shown, settings)
    },
    async grow(volume, backing, op) {
      const shown = await target.find(targetName(volume.id), op)
      if (shown && shown.size < backing.size) await target.grow(shown.target, backing, op)
    },
    async exports(op) {
      const found = (await target.list(op)).flatMap(shown => {
        const id = volumeOfTarget(shown.target)
        return id === undefined ? [] : [[id, exportedAs(id, shown)] as const]
      })
      return new Map(found)
    },
    async requireUnused(id, op) {
      const shown = await target.find(targetName(id), op)
      if (!shown) return
      throw new VolumeInUse({
        asked: `delete ${id}`,
        found: `${shown.target} is exported to ${shown.initiators.map(({ name }) => name).join(', ') || 'nobody'}`,
        next: 'unpublish it first',
      })
    },
  }
}

/** Two nodes under one name would be one to the target: it could not take the right of one of them away. */
function requireOwnInitiators(id: VolumeId, claims: readonly Claim[]): void {
  const holders = Map.groupBy(claims, ({ node }) => parseNodeId(node).initiator ?? '')
  for (const [initiator, [first, second]] of holders) {
    if (!first || !second) continue
    throw new PublishedElsewhere({
      asked: `publish ${id} to node ${first.node}`,
      found: `node ${second.node} has it, with the same initiator name ${initiator}`,
      next: 'give each node a name of its own (nodeId, or iscsi.initiatorName), and restart its plugin',
    })
  }
}

function chapOf({ nonce = '', chap }: Claim): ChapRoute {
  return chap ? { ...chap, nonce } : { mode: 'none' }
}

function rightOf(id: VolumeId, claim: Claim, keys: Keys): Right {
  const initiator = parseNodeId(claim.node).initiator ?? ''
  const chap = deriveChap(keys, chapOf(claim), { target: targetName(id), initiator })
  return { initiator, readonly: claim.readonly, ...(chap && { chap }) }
}

function routeOf(document: ExportDocument, claim: Claim, chap: ChapRoute, lun: number): Route {
  const { target, portals, serial, backing, sectorSize } = document
  const route = { target, lun, portals, serial, size: backing.size, sectorSize, readonly: claim.readonly, chap }
  // As udev would name it; a hint for people, and no node needs it.
  const path = `/dev/disk/by-path/ip-${portals[0]}-iscsi-${target}-lun-${lun}`
  return { device_path: path, ...encodeIscsiRoute(route) }
}

function exportedAs(id: VolumeId, { backing, size, enabled, serial, initiators }: Shown): Exported {
  const troubles = [
    ...(enabled ? [] : ['its target accepts no logins']),
    ...(serial === serialOf(id) ? [] : [`its target shows serial number ${serial}, not ${serialOf(id)}`]),
  ]
  const holders = initiators.map(({ name, readonly }) => ({ initiator: name, readonly }))
  return { backing, size, enabled, holders, troubles }
}

function cannotGrow(id: VolumeId, { target }: Shown, settings: IscsiSettings): VolumeInUse {
  return new VolumeInUse({
    asked: `expand ${id}`,
    found: `${target} is exported, and ${settings.target} cannot change the size of what it exports`,
    next: 'end the workload so that the volume is unpublished, and expand it then',
  })
}
