// What the id of a node says: its name, and under which initiator name it logs in to targets.
import type { NodeId } from './types.ts'

export interface NodeIdentity {
  /** As the orchestrator names the node. */
  readonly name: string
  /** Absent where iSCSI is not configured. */
  readonly initiator?: string
}

/** RFC 7143 section 4.2.7.2, in the lower case that stringprep leaves; at most 223 bytes. */
const IQN = /^iqn\.\d{4}-\d{2}\.[a-z0-9]+(?:[.-][a-z0-9]+)*(?::[a-z0-9.:-]+)?$/

export function isIqn(text: string): boolean {
  return IQN.test(text) && text.length <= 223
}

/** `node-a`, or `node-a/iqn.2026-01.dev.ashlar:node-a`: at most 256 bytes by the CSI spec, 192 for Kubernetes. */
export function encodeNodeId({ name, initiator }: NodeIdentity): NodeId {
  return initiator === undefined ? name : `${name}/${initiator}`
}

/** The reverse; every text is the id of some node. */
export function parseNodeId(id: NodeId): NodeIdentity {
  const at = id.lastIndexOf('/')
  const initiator = id.slice(at + 1)
  return at > 0 && isIqn(initiator) ? { name: id.slice(0, at), initiator } : { name: id }
}

/** The same machine for the orchestrator, even if its initiator was renamed in between. */
export function isSameNode(a: NodeId, b: NodeId): boolean {
  return parseNodeId(a).name === parseNodeId(b).name
}
