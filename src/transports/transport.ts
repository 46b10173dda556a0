// What a transport is: how a node reaches the bytes. One half stands beside the bytes, the other on the node.
import type { Host } from '../host/host.ts'
import type { Device } from '../linux/device.ts'
import type { Op } from '../volume/op.ts'
import type { Backing, Claim, NodeId, Route, Volume, VolumeId } from '../volume/types.ts'

/** Beside the bytes: gives a node the right and the means to reach a volume, and takes them away. */
export interface Exporter {
  /** Can this node be served at all? */
  reaches(node: NodeId): boolean
  /** Idempotent. The route carries `device_path` (a hint) and what the connector needs to prove the device. */
  export(volume: Volume, backing: Backing, claim: Claim, op: Op): Promise<Route>
  /** After this the node cannot write any more. Throws VolumeInUse when that cannot be achieved. */
  unexport(id: VolumeId, node: NodeId, op: Op): Promise<void>
  /** Proves that nothing reaches the bytes, before they are deleted. Throws VolumeInUse. */
  requireUnused(id: VolumeId, op: Op): Promise<void>
}

/** On the node: turns a route into a block device, and back into nothing. */
export interface Connector {
  /** Idempotent. Answers a device that is proved to be this volume. Throws WrongDevice, Unavailable, VolumeNotFound. */
  connect(id: VolumeId, route: Route, op: Op): Promise<Device>
  /** The device that is connected now, from the kernel alone. */
  find(id: VolumeId, op: Op): Promise<Device | undefined>
  /** Which volume is this device? undefined if it is none of ours. */
  identify(device: Device): Promise<VolumeId | undefined>
  /** Makes the node see the present size of the volume. */
  rescan(device: Device, op: Op): Promise<Device>
  /** Idempotent; OK only when no device of the volume is left. Throws VolumeInUse. */
  disconnect(id: VolumeId, op: Op): Promise<void>
}

export interface TransportConfig {
  /** Of the node that this process runs on. */
  readonly nodeId: NodeId
}

/** A registry entry: a process builds only the half that it needs. */
export interface Transport {
  exporter(host: Host, config: TransportConfig): Exporter
  connector(host: Host): Connector
}
