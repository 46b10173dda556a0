// Node: one entry an RPC; translates in, calls the flow, translates out. No decisions.
import { expandVolume } from '../node/expand-volume.ts'
import { publishVolume, unpublishVolume } from '../node/publish-volume.ts'
import type { NodeSite } from '../node/site.ts'
import { stageVolume } from '../node/stage-volume.ts'
import { unstageVolume } from '../node/unstage-volume.ts'
import { volumeStats } from '../node/volume-stats.ts'
import type { Methods } from './call.ts'
import type { NodeHandlers } from './generated/csi/v1/Node.ts'
import type { _csi_v1_NodeServiceCapability_RPC_Type__Output as Rpc } from './generated/csi/v1/NodeServiceCapability.ts'
import { parseCapability, parseMap, parseRange } from './translate.ts'

const CAPABILITIES: readonly Rpc[] = [
  'STAGE_UNSTAGE_VOLUME',
  'GET_VOLUME_STATS',
  'VOLUME_CONDITION',
  'EXPAND_VOLUME',
  'SINGLE_NODE_MULTI_WRITER',
]

export function nodeService(site: NodeSite): Methods<NodeHandlers> {
  return {
    NodeGetCapabilities: async () => ({ capabilities: CAPABILITIES.map(type => ({ rpc: { type } })) }),

    NodeGetInfo: async () => ({
      node_id: site.nodeId,
      max_volumes_per_node: String(site.maxVolumesPerNode),
      accessible_topology: { segments: site.segments },
    }),

    async NodeStageVolume(request, op) {
      const asked = `stage ${request.volume_id}`
      await stageVolume(
        site,
        {
          id: request.volume_id,
          stagingPath: request.staging_target_path,
          capability: parseCapability(asked, request.volume_capability),
          publishContext: parseMap(asked, 'publish_context', request.publish_context),
          volumeContext: request.volume_context,
        },
        op,
      )
      return {}
    },

    async NodeUnstageVolume(request, op) {
      await unstageVolume(site, request.volume_id, request.staging_target_path, op)
      return {}
    },

    async NodePublishVolume(request, op) {
      await publishVolume(
        site,
        {
          id: request.volume_id,
          stagingPath: request.staging_target_path,
          targetPath: request.target_path,
          capability: parseCapability(`publish ${request.volume_id}`, request.volume_capability),
          readonly: request.readonly,
          publishContext: parseMap(`publish ${request.volume_id}`, 'publish_context', request.publish_context),
          volumeContext: request.volume_context,
        },
        op,
      )
      return {}
    },

    async NodeUnpublishVolume(request, op) {
      await unpublishVolume(site, request.volume_id, request.target_path, op)
      return {}
    },

    async NodeGetVolumeStats(request, op) {
      const stats = await volumeStats(site, request.volume_id, request.volume_path, op)
      const volume_condition = stats.condition
      if (stats.kind === 'block') return { usage: [{ unit: 'BYTES', total: String(stats.size) }], volume_condition }
      const { bytes, inodes } = stats.usage
      return { usage: [encodeUsage('BYTES', bytes), encodeUsage('INODES', inodes)], volume_condition }
    },

    async NodeExpandVolume(request, op) {
      const asked = `expand ${request.volume_id}`
      const size = await expandVolume(
        site,
        {
          id: request.volume_id,
          volumePath: request.volume_path,
          range: parseRange(asked, request.capacity_range),
          access: request.volume_capability ? parseCapability(asked, request.volume_capability).access : undefined,
        },
        op,
      )
      return { capacity_bytes: String(size) }
    },
  }
}

function encodeUsage(
  unit: 'BYTES' | 'INODES',
  { total, used, available }: { total: bigint; used: bigint; available: bigint },
) {
  return { unit, total: String(total), used: String(used), available: String(available) }
}
