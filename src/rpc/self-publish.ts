// A driver that gives its node the rights itself: for an orchestrator that calls no ControllerPublishVolume.
import type { Op } from '../volume/op.ts'
import type { NodeId, VolumeId } from '../volume/types.ts'
import type { Methods } from './call.ts'
import type { ControllerHandlers } from './generated/csi/v1/Controller.ts'
import type { NodeHandlers } from './generated/csi/v1/Node.ts'

export interface Halves {
  readonly controller: Methods<ControllerHandlers>
  readonly node: Methods<NodeHandlers>
  readonly nodeId: NodeId
  /** Whether the node has notes about the volume: it is staged there, or a call was begun. */
  readonly isNoted: (id: VolumeId) => Promise<boolean>
}

/**
 * CSI spec, volume life cycle without PUBLISH_UNPUBLISH_VOLUME: created, staged, published. What the right to write
 * protects stays: the volume is claimed before it is staged, and given back after it was unstaged. The sizes are the
 * node's to change too (EXPAND_VOLUME of the node alone).
 */
export function selfPublishing({ controller, node, nodeId, isNoted }: Halves): Pick<Halves, 'controller' | 'node'> {
  type Staging = Pick<Parameters<typeof node.NodeStageVolume>[0], 'volume_id' | 'volume_capability' | 'volume_context'>
  const publish = async ({ volume_id, volume_capability, volume_context }: Staging, op: Op) => {
    const given = { volume_id, node_id: nodeId, volume_capability, volume_context, readonly: false, secrets: {} }
    const { publish_context } = await controller.ControllerPublishVolume(given, op)
    return publish_context ?? {}
  }
  const unpublish = async (volume_id: VolumeId, op: Op) => {
    await controller.ControllerUnpublishVolume({ volume_id, node_id: nodeId, secrets: {} }, op)
  }
  return {
    node: {
      ...node,
      async NodeStageVolume(request, op) {
        const publish_context = await publish(request, op)
        try {
          return await node.NodeStageVolume({ ...request, publish_context: stringsOf(publish_context) }, op)
        } catch (error) {
          // The orchestrator calls no unstage after an error that is final: nobody else would give the volume back.
          if (!(await isNoted(request.volume_id))) await unpublish(request.volume_id, op).catch(tell(op))
          throw error
        }
      },
      async NodePublishVolume(request, op) {
        // What is not staged is refused there, and must not be claimed for it; a pod's own volume is never staged.
        const isStaged = request.staging_target_path !== '' && (await isNoted(request.volume_id))
        if (!isStaged) return await node.NodePublishVolume(request, op)
        const publish_context = await publish(request, op)
        return await node.NodePublishVolume({ ...request, publish_context: stringsOf(publish_context) }, op)
      },
      async NodeUnstageVolume(request, op) {
        const reply = await node.NodeUnstageVolume(request, op)
        await unpublish(request.volume_id, op)
        return reply
      },
      async NodeExpandVolume(request, op) {
        const { volume_id, capacity_range, volume_capability, secrets } = request
        if (capacity_range)
          await controller.ControllerExpandVolume({ volume_id, capacity_range, volume_capability, secrets }, op)
        return await node.NodeExpandVolume(request, op)
      },
    },
    controller: {
      ...controller,
      async DeleteVolume(request, op) {
        // A stage that died between its claim and its first note, or a node that forgot what it had.
        if (!(await isNoted(request.volume_id))) await unpublish(request.volume_id, op)
        return await controller.DeleteVolume(request, op)
      },
    },
  }
}

function stringsOf(context: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(context).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])),
  )
}

function tell(op: Op): (error: unknown) => void {
  return error =>
    op.log.error({ cause: String(error) }, 'could not give back a volume whose stage failed; its claim stays')
}
