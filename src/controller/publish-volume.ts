// ControllerPublishVolume and ControllerUnpublishVolume: the right of one node to use a volume.
import { randomBytes } from 'node:crypto'
import type { Pool } from '../pools/pool.ts'
import { encodeTuningRoute } from '../schema/tuning.ts'
import type { Exporter } from '../transports/transport.ts'
import { type Capability, isCompatible, isReaderOnly, refusal } from '../volume/capability.ts'
import { isNodeName, requireSharable } from '../volume/claim.ts'
import {
  AttachLimitReached,
  IncompatibleExists,
  InvalidRequest,
  NodeNotFound,
  PublishedElsewhere,
} from '../volume/errors.ts'
import { mutableParametersOf } from '../volume/mutable.ts'
import { isSameNode, parseNodeId } from '../volume/node-id.ts'
import { type Op, steady } from '../volume/op.ts'
import type { Claim, NodeId, Route, VolumeId } from '../volume/types.ts'
import { type ControllerSite, changeRights, findVolume, getExporter, getVolume, type Located } from './site.ts'

export interface PublishRequest {
  readonly id: VolumeId
  readonly node: NodeId
  readonly capability: Capability
  readonly readonly: boolean
}

/** Keys of the publish context that every transport's route carries. */
export const BLANK_KEY = 'blank'
export const CONTENT_FROM_KEY = 'content_from'
/** The filesystem of an adopted volume keeps this. */
export const UUID_KEY = 'filesystem_uuid'
/** The copy of one bears this until it is staged. */
export const CONTENT_UUID_KEY = 'content_uuid'
export const TRANSPORT_KEY = 'transport'

/**
 * CSI spec, ControllerPublishVolume. A repeat with the same capability answers the same route, with the mutable parameters
 * as they are by then; a different one is
 * ALREADY_EXISTS; a second node for a single-node mode is FAILED_PRECONDITION and names the first.
 */
export async function publishVolume(site: ControllerSite, request: PublishRequest, op: Op): Promise<Route> {
  const { id, node } = request
  const asked = `publish ${id} to node ${node}`
  const located = await getVolume(site, asked, id)
  const { volume } = located
  const exporter = getExporter(site, asked, volume.transport)
  requireUsable(asked, located, request)
  if (!exporter.reaches(node)) await refuseNode(asked, located, request, site)
  return await changeRights(exporter, located, op, () => giveRight(asked, site, exporter, located, request, op))
}

async function giveRight(
  asked: string,
  site: ControllerSite,
  exporter: Exporter,
  { pool, volume }: Located,
  request: PublishRequest,
  op: Op,
): Promise<Route> {
  const { id, node } = request
  // Who writes a claim first and looks then may be cut short in between, and leave one that conflicts with another.
  requireSharable(id, request, await pool.claims(id))
  const blank = await pool.isBlank(id, op)
  const wanted: Claim = {
    node,
    capability: request.capability,
    readonly: request.readonly || isReaderOnly(request.capability.mode),
    blank,
    nonce: randomBytes(16).toString('hex'),
  }
  const { claim, isNew } = await exporter.enrol(id, node, op, terms => pool.claim(id, { ...wanted, ...terms }))
  try {
    requireSame(asked, claim, wanted)
    if (isNew) await requireAdmissible(asked, site, node)
    const others = (await pool.claims(id)).filter(each => each.node !== node)
    const route = await exporter.export(volume, await pool.backing(id), [claim, ...others], op)
    await exporter.ready(id, claim, op)
    // The attestation that the volume may be formatted is withdrawn as soon as the volume holds data.
    return {
      [TRANSPORT_KEY]: volume.transport,
      ...route,
      [BLANK_KEY]: String(claim.blank && blank),
      ...(volume.contentFrom !== undefined && { [CONTENT_FROM_KEY]: volume.contentFrom }),
      ...(volume.adopted?.uuid !== undefined && { [UUID_KEY]: volume.adopted.uuid }),
      ...(volume.contentUuid !== undefined && { [CONTENT_UUID_KEY]: volume.contentUuid }),
      ...encodeTuningRoute(mutableParametersOf(volume)),
    }
  } catch (error) {
    if (isNew) await withdraw(exporter, pool, id, node, op)
    throw error
  }
}

/** A half-made export may have given the right already: then the claim stays until that is taken away. */
async function withdraw(exporter: Exporter, pool: Pool, id: VolumeId, node: NodeId, op: Op): Promise<void> {
  try {
    if (!exporter.isLocal) await exporter.unexport(id, node, steady(op))
    await pool.release(id, node)
  } catch (error) {
    op.log.error({ node, cause: String(error) }, 'could not undo a failed publish; its claim stays')
  }
}

/** CSI spec, ControllerUnpublishVolume. No node id means every node; what is not published is OK. */
export async function unpublishVolume(
  site: ControllerSite,
  id: VolumeId,
  node: NodeId | undefined,
  op: Op,
): Promise<void> {
  const located = await findVolume(site, id)
  if (!located) return
  const { pool, volume } = located
  const exporter = getExporter(site, `unpublish ${id}`, volume.transport)
  // No node's call ends a wipe or a copy that is under way. A node whose initiator was renamed is the same node.
  const isMeant = (claim: Claim) => isNodeName(claim.node) && (node === undefined || isSameNode(claim.node, node))
  await changeRights(exporter, located, op, async () => {
    const claims = (await pool.claims(id)).filter(isMeant)
    for (const claim of claims) {
      await exporter.unexport(id, claim.node, op)
      await pool.release(id, claim.node)
    }
  })
}

function requireUsable(asked: string, { volume }: Located, { capability }: PublishRequest): void {
  const reason = refusal(capability)
  if (reason !== undefined) throw new InvalidRequest({ asked, found: reason, next: 'use another access mode' })
  if (!isCompatible(volume.capabilities, capability)) {
    throw new InvalidRequest({
      asked,
      found: `the volume was created for ${volume.capabilities.map(each => each.access + (each.fsType ? ` ${each.fsType}` : '')).join(', ')}`,
      next: 'publish it as what it was created for',
    })
  }
}

/** A node out of reach: if another holds the volume, that is what the caller must know first. */
async function refuseNode(
  asked: string,
  { pool, volume }: Located,
  request: PublishRequest,
  site: ControllerSite,
): Promise<never> {
  requireSharable(request.id, request, await pool.claims(request.id))
  throw new NodeNotFound({
    asked,
    found: `the volume is reachable at ${JSON.stringify(volume.segments)} only, from node ${site.nodeId}`,
    next: 'schedule the workload on that node; check that node ids are the ones NodeGetInfo reports',
  })
}

function requireSame(asked: string, claim: Claim, wanted: Claim): void {
  const { capability: have } = claim
  const { capability: want } = wanted
  if (
    claim.readonly === wanted.readonly &&
    have.access === want.access &&
    have.mode === want.mode &&
    have.fsType === want.fsType
  )
    return
  const describe = (each: Claim) =>
    `${each.capability.access} ${each.capability.mode}${each.readonly ? ' read-only' : ''}`
  throw new IncompatibleExists({
    asked,
    found: `it is published there as ${describe(claim)}, asked ${describe(wanted)}`,
    next: 'unpublish it first',
  })
}

/** What a node may have beside other nodes and other volumes. The claim is written already: of two calls that race one sees both. */
async function requireAdmissible(asked: string, site: ControllerSite, node: NodeId): Promise<void> {
  const { initiator } = parseNodeId(node)
  if (site.maxVolumesPerNode === 0 && initiator === undefined) return
  const claims = await allClaims(site)
  if (initiator !== undefined) requireOwnInitiator(asked, node, initiator, claims)
  const held = claims.filter(claim => claim.node === node).length
  if (site.maxVolumesPerNode > 0 && held > site.maxVolumesPerNode) {
    throw new AttachLimitReached({
      asked,
      found: `the node holds ${held - 1} volumes, its limit`,
      next: 'schedule the workload elsewhere or raise maxVolumesPerNode',
    })
  }
}

async function allClaims({ pools }: ControllerSite): Promise<Claim[]> {
  const ofPool = async (pool: Pool) => await Promise.all((await pool.list()).map(id => pool.claims(id)))
  return (await Promise.all([...pools.values()].map(ofPool))).flat(2)
}

/** Two nodes under one name are one to every target: each could log in to what the other was given. */
function requireOwnInitiator(asked: string, node: NodeId, initiator: string, claims: readonly Claim[]): void {
  const other = claims.find(claim => parseNodeId(claim.node).initiator === initiator && !isSameNode(claim.node, node))
  if (!other) return
  throw new PublishedElsewhere({
    asked,
    found: `node ${parseNodeId(other.node).name} has volumes under the same initiator name ${initiator}`,
    next: 'give each node a name of its own (nodeId, or iscsi.initiatorName), and restart its plugin',
  })
}
