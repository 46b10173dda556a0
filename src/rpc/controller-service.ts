// Controller: one entry an RPC; translates in, calls the flow, translates out. No decisions.
import { createSnapshot } from '../controller/create-snapshot.ts'
import { createVolume } from '../controller/create-volume.ts'
import { deleteSnapshot } from '../controller/delete-snapshot.ts'
import { deleteVolume } from '../controller/delete-volume.ts'
import { expandVolume } from '../controller/expand-volume.ts'
import { getCapacity } from '../controller/get-capacity.ts'
import { getSnapshot, listSnapshots } from '../controller/list-snapshots.ts'
import { describeVolume, type ListedVolume, listVolumes } from '../controller/list-volumes.ts'
import { modifyVolume } from '../controller/modify-volume.ts'
import { publishVolume, unpublishVolume } from '../controller/publish-volume.ts'
import type { ControllerSite } from '../controller/site.ts'
import { validateCapabilities } from '../controller/validate-capabilities.ts'
import { InvalidRequest } from '../volume/errors.ts'
import type { Methods } from './call.ts'
import type { ControllerHandlers } from './generated/csi/v1/Controller.ts'
import type { _csi_v1_ControllerServiceCapability_RPC_Type__Output as Rpc } from './generated/csi/v1/ControllerServiceCapability.ts'
import {
  encodeSnapshot,
  encodeVolume,
  parseCapabilities,
  parseCapability,
  parseContentSource,
  parseMap,
  parseName,
  parsePage,
  parseRange,
  parseRequisite,
  parseSegments,
  refuseForeignParameters,
} from './translate.ts'

const CAPABILITIES: readonly Rpc[] = [
  'CREATE_DELETE_VOLUME',
  'PUBLISH_UNPUBLISH_VOLUME',
  'LIST_VOLUMES',
  'LIST_VOLUMES_PUBLISHED_NODES',
  'GET_CAPACITY',
  'GET_VOLUME',
  'VOLUME_CONDITION',
  'EXPAND_VOLUME',
  'MODIFY_VOLUME',
  'PUBLISH_READONLY',
  'SINGLE_NODE_MULTI_WRITER',
]
/** Of pools that can copy volumes. */
const COPYING: readonly Rpc[] = ['CREATE_DELETE_SNAPSHOT', 'LIST_SNAPSHOTS', 'CLONE_VOLUME']

export interface Offer {
  /** Alpha in CSI 1.12; there are clients that refuse a driver that has a capability which they do not know. */
  readonly getSnapshot: boolean
  /** The node publishes, expands and modifies for itself: src/rpc/self-publish.ts. */
  readonly selfPublish?: boolean
}

/** Of a controller that the orchestrator asks for the rights of nodes. */
const PUBLISHING: readonly Rpc[] = [
  'PUBLISH_UNPUBLISH_VOLUME',
  'LIST_VOLUMES_PUBLISHED_NODES',
  'EXPAND_VOLUME',
  'MODIFY_VOLUME',
  'PUBLISH_READONLY',
]

/** What the pools can do, and no more. */
function capabilitiesOf({ pools }: ControllerSite, { getSnapshot: isOffered, selfPublish = false }: Offer): Rpc[] {
  const own = CAPABILITIES.filter(each => !selfPublish || !PUBLISHING.includes(each))
  if (![...pools.values()].some(({ snapshots }) => snapshots)) return own
  return [...own, ...COPYING, ...(isOffered ? (['GET_SNAPSHOT'] as const) : [])]
}

export function controllerService(
  site: ControllerSite,
  offer: Offer = { getSnapshot: false },
): Methods<ControllerHandlers> {
  const capabilities = capabilitiesOf(site, offer).map(type => ({ rpc: { type } }))
  return {
    ControllerGetCapabilities: async () => ({ capabilities }),

    async CreateVolume(request, op) {
      const asked = 'create a volume'
      const volume = await createVolume(
        site,
        {
          name: parseName(asked, request.name),
          range: parseRange(asked, request.capacity_range),
          capabilities: parseCapabilities(asked, request.volume_capabilities),
          parameters: parseMap(asked, 'parameters', request.parameters),
          mutableParameters: parseMap(asked, 'mutable_parameters', request.mutable_parameters),
          requisite: parseRequisite(request.accessibility_requirements),
          source: parseContentSource(asked, request.volume_content_source),
        },
        op,
      )
      return { volume: encodeVolume(volume) }
    },

    async DeleteVolume(request, op) {
      await deleteVolume(site, request.volume_id, op)
      return {}
    },

    async ControllerPublishVolume(request, op) {
      const route = await publishVolume(
        site,
        {
          id: request.volume_id,
          node: request.node_id,
          capability: parseCapability('publish a volume', request.volume_capability),
          readonly: request.readonly,
        },
        op,
      )
      return { publish_context: route }
    },

    async ControllerUnpublishVolume(request, op) {
      await unpublishVolume(site, request.volume_id, request.node_id === '' ? undefined : request.node_id, op)
      return {}
    },

    async ValidateVolumeCapabilities(request) {
      const asked = 'validate volume capabilities'
      const reason = await validateCapabilities(
        site,
        request.volume_id,
        parseCapabilities(asked, request.volume_capabilities),
        {
          parameters: parseMap(asked, 'parameters', request.parameters),
          mutableParameters: parseMap(asked, 'mutable_parameters', request.mutable_parameters),
        },
      )
      if (reason !== undefined) return { message: reason }
      const { volume_capabilities, volume_context, parameters, mutable_parameters } = request
      return { confirmed: { volume_capabilities, volume_context, parameters, mutable_parameters } }
    },

    async ListVolumes(request, op) {
      const page = await listVolumes(site, parsePage('list volumes', request), op)
      return { entries: page.entries.map(encodeEntry), next_token: page.nextToken }
    },

    async ControllerGetVolume(request, op) {
      return encodeEntry(await describeVolume(site, request.volume_id, op))
    },

    async CreateSnapshot(request, op) {
      const asked = 'create a snapshot'
      refuseForeignParameters(asked, parseMap(asked, 'parameters', request.parameters))
      const wanted = { name: parseName(asked, request.name), source: request.source_volume_id }
      return { snapshot: encodeSnapshot(await createSnapshot(site, wanted, op)) }
    },

    async DeleteSnapshot(request, op) {
      await deleteSnapshot(site, request.snapshot_id, op)
      return {}
    },

    async ListSnapshots(request) {
      const { snapshot_id: id, source_volume_id: source } = request
      const filter = { id: id === '' ? undefined : id, source: source === '' ? undefined : source }
      const page = await listSnapshots(site, parsePage('list snapshots', request), filter)
      return { entries: page.entries.map(each => ({ snapshot: encodeSnapshot(each) })), next_token: page.nextToken }
    },

    async GetSnapshot(request) {
      const { snapshot_id: id } = request
      return { snapshot: encodeSnapshot(await getSnapshot(site, `get ${id}`, id)) }
    },

    async GetCapacity(request) {
      const asked = 'get the capacity'
      const { available, maximum, minimum } = await getCapacity(site, {
        capabilities: parseCapabilities(asked, request.volume_capabilities),
        parameters: parseMap(asked, 'parameters', request.parameters),
        topology: request.accessible_topology ? parseSegments(request.accessible_topology) : undefined,
      })
      return {
        available_capacity: String(available),
        maximum_volume_size: { value: String(maximum) },
        minimum_volume_size: { value: String(minimum) },
      }
    },

    async ControllerExpandVolume(request, op) {
      const asked = `expand ${request.volume_id}`
      const range = parseRange(asked, request.capacity_range)
      if (!range) throw new InvalidRequest({ asked, found: 'no capacity_range', next: 'set required_bytes' })
      if (request.volume_capability) parseCapability(asked, request.volume_capability)
      const size = await expandVolume(site, request.volume_id, range, op)
      // Block volumes too: their device learns its new size on the node.
      return { capacity_bytes: String(size), node_expansion_required: true }
    },

    async ControllerModifyVolume(request, op) {
      const asked = `modify ${request.volume_id}`
      const changes = parseMap(asked, 'mutable_parameters', request.mutable_parameters)
      await modifyVolume(site, request.volume_id, changes, op)
      return {}
    },
  }
}

function encodeEntry({ volume, publishedNodes, condition }: ListedVolume) {
  const status = { published_node_ids: [...publishedNodes], volume_condition: condition }
  return { volume: encodeVolume(volume), status }
}
