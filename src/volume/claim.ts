// Who may hold a volume at the same time: nodes, and the driver itself while it wipes or copies.
import { isMultiNode } from './capability.ts'
import { PublishedElsewhere, VolumeInUse } from './errors.ts'
import type { Claim, NodeId, SnapshotId, VolumeId } from './types.ts'

/** No node can bear these names: with such a claim no node can be given the volume. */
export const WIPER: NodeId = '(ashlar wipe)'
const COPIER = /^\(ashlar copy to (\S+)\)$/

/** Who copies a volume to this snapshot or volume. */
export function copierTo(target: SnapshotId | VolumeId): NodeId {
  return `(ashlar copy to ${target})`
}

/** What is made of the volume; undefined for everybody but a copier. */
export function targetOfCopier(node: NodeId): SnapshotId | VolumeId | undefined {
  return COPIER.exec(node)?.[1]
}

export function isNodeName(node: NodeId): boolean {
  return node !== WIPER && targetOfCopier(node) === undefined
}

/** For messages. */
export function describeHolder({ node }: Pick<Claim, 'node'>): string {
  const target = targetOfCopier(node)
  if (target !== undefined) return `it is being copied to ${target}`
  return node === WIPER ? 'it is being emptied by ashlar wipe' : `it is published to node ${node}`
}

/** Throws PublishedElsewhere, naming the other node, unless both hold the volume in a multi-node mode. */
export function requireSharable(
  id: VolumeId,
  wanted: Pick<Claim, 'node' | 'capability'>,
  claims: readonly Claim[],
): void {
  const { node, capability } = wanted
  const other = claims.find(
    each => each.node !== node && !(isMultiNode(capability.mode) && isMultiNode(each.capability.mode)),
  )
  if (!other) return
  const asked = isNodeName(node) ? `publish ${id} to node ${node}` : `hold ${id} alone`
  if (!isNodeName(other.node)) {
    const next = 'call again when that has ended; see ashlar doctor if it does not'
    throw new VolumeInUse({ asked, found: describeHolder(other), next })
  }
  throw new PublishedElsewhere({
    asked,
    found: `it is published to node ${other.node} as ${other.capability.mode}`,
    next: `unpublish it from ${other.node} first`,
  })
}
