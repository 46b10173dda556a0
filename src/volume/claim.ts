// When two nodes may hold one volume at the same time.
import { isMultiNode } from './capability.ts'
import { PublishedElsewhere } from './errors.ts'
import type { Claim, VolumeId } from './types.ts'

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
  throw new PublishedElsewhere({
    asked: `publish ${id} to node ${node}`,
    found: `it is published to node ${other.node} as ${other.capability.mode}`,
    next: `unpublish it from ${other.node} first`,
  })
}
