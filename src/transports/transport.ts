// What a transport is: how a node reaches the bytes. One half stands beside the bytes, the other on the node.
import type { Host } from '../host/host.ts'
import type { Device } from '../linux/device.ts'
import type { IscsiSettings } from '../schema/shapes/config.ts'
import type { LetGo } from '../volume/let-go.ts'
import type { Op } from '../volume/op.ts'
import type { Backing, Bytes, Claim, NodeId, Route, Volume, VolumeId } from '../volume/types.ts'

/** A device of the transport's kind on this node, whoever made it. */
export interface Attachment {
  readonly device: Device
  /** What it shows: for `loop` the path of a file or of another device. */
  readonly backing: string
  /** What it shows was removed: the device is the last way to the bytes. */
  readonly isLastWay: boolean
  /** The volume that it bears the identity of, if any; whether there is such a volume is another question. */
  readonly id: VolumeId | undefined
  /** The bytes are on another host: what the device itself says is all that can be seen of them from here. */
  readonly isRemote?: true
}

export interface Exported {
  /** Path of what nodes see. */
  readonly backing: string
  readonly size: Bytes
  /** Complete, and open for nodes. */
  readonly enabled: boolean
  readonly holders: readonly { readonly initiator: string; readonly readonly: boolean }[]
  /** What is wrong with this way to the bytes, in words; for the volume condition. */
  readonly troubles: readonly string[]
}

export type Terms = Pick<Claim, 'chap' | 'lun' | 'session'>

/** What an exporter may ask the pools where one thing serves several volumes. */
export interface Ledger {
  /** The claims of all volumes of a pool. */
  claims(pool: string): Promise<ReadonlyMap<VolumeId, readonly Claim[]>>
  claimsOf(id: VolumeId): Promise<readonly Claim[]>
  /** Runs the work while nobody else, in whatever process, works on this. Throws OperationPending. */
  alone<T>(pool: string, what: string, op: Op, work: () => Promise<T>): Promise<T>
}

/** Beside the bytes: gives a node the right and the means to reach a volume, and takes them away. */
export interface Exporter {
  /** Only the node beside the bytes can be served. Exports of other transports are restored after a reboot. */
  readonly isLocal: boolean
  /** Can this node be served at all? */
  reaches(node: NodeId): boolean
  /**
   * Runs the work that records a new claim of this node, with what the claim is to say about the way to the volume: that
   * stays as it is for as long as there is the claim, whatever the settings become.
   */
  enrol<T>(id: VolumeId, node: NodeId, op: Op, work: (terms: Terms) => Promise<T>): Promise<T>
  /**
   * Gives the nodes of these claims, and no others, the means to reach the volume, and answers the route of the first.
   * Idempotent. The route carries `device_path` (a hint) and what the connector needs to prove the device.
   */
  export(volume: Volume, backing: Backing, claims: readonly [Claim, ...Claim[]], op: Op): Promise<Route>
  /** Waits until the node of this claim can reach what was exported to it. Throws Unavailable. */
  ready(id: VolumeId, claim: Claim, op: Op): Promise<void>
  /** What can be judged only when every volume was looked at: takes away what no claim gives, and lets nodes in that wait. */
  settle(op: Op): Promise<void>
  /** After this the node cannot write any more. Throws VolumeInUse when that cannot be achieved. */
  unexport(id: VolumeId, node: NodeId, op: Op): Promise<void>
  /** The same for all nodes at once, whatever their names: nothing of the export is left. */
  withdraw(id: VolumeId, op: Op): Promise<void>
  /** Throws VolumeInUse while the volume cannot grow because it is exported. Before its pool lets it grow. */
  requireGrowable(id: VolumeId, op: Op): Promise<void>
  /** Shows the size that the volume has grown to; fine if it is not exported. */
  grow(volume: Volume, backing: Backing, op: Op): Promise<void>
  /**
   * After it, no write of whoever has these claims reaches the bytes until the answered function is called, which throws
   * Unavailable if one may have. A pause ends with this process, and by itself after seconds. The caller is alone with the
   * volume: `Pool.alone`. Throws CannotCutTogether when writes cannot be held.
   */
  pause(volume: Volume, backing: Backing, claims: readonly Claim[], op: Op): Promise<LetGo>
  /** Ends what a pause left whose process, and all that it had started, was killed; fine if there is nothing. */
  resume(id: VolumeId, op: Op): Promise<void>
  /** What is exported now, or of that one volume, from the kernel or the daemon alone, whoever did it. */
  exports(op: Op, only?: VolumeId): Promise<ReadonlyMap<VolumeId, Exported>>
  /** Proves that nothing reaches the bytes, before they are deleted. Throws VolumeInUse. */
  requireUnused(id: VolumeId, op: Op): Promise<void>
}

/** On the node: turns a route into a block device, and back into nothing. */
export interface Connector {
  /** Idempotent. Answers a device that is proved to be this volume. Throws WrongDevice, Unavailable, VolumeNotFound. */
  connect(id: VolumeId, route: Route, op: Op): Promise<Device>
  /** The device that is connected now, from the kernel alone. */
  find(id: VolumeId, op: Op): Promise<Device | undefined>
  /** Every device of the transport's kind, also those that have nothing to do with volumes. */
  list(): Promise<Attachment[]>
  /** Why the device does not show all of what it says that it shows, and nothing else: in words, by the full proof. */
  doubts(attachment: Attachment, op: Op): Promise<string[]>
  /** Which volume is this device? undefined if it is none of ours. */
  identify(device: Device): Promise<VolumeId | undefined>
  /** Proves that the device still is what `connect` or `find` answered for this volume. Throws WrongDevice, naming both. */
  verify(id: VolumeId, device: Device, op: Op): Promise<void>
  /** Does the storage below the device hold data, wherever? undefined when this cannot be told from here. */
  holdsData(device: Device, op: Op): Promise<boolean | undefined>
  /** What is wrong with the storage below the device, in words, as far as it can be seen from here; for the volume condition. */
  troublesOf(device: Device): Promise<string[]>
  /** Makes the node see the present size of the volume. */
  rescan(device: Device, op: Op): Promise<Device>
  /** Idempotent; OK only when no device of the volume is left. Throws VolumeInUse. */
  disconnect(id: VolumeId, op: Op): Promise<void>
}

export interface TransportConfig {
  /** Name of the node that this process runs on. */
  readonly nodeId: NodeId
  /** Where the node keeps its locks, among other things. */
  readonly stateDir: string
  readonly iscsi?: IscsiSettings | undefined
}

/** A registry entry: a process builds only the half that it needs. undefined: the configuration does not ask for it. */
export interface Transport {
  exporter(host: Host, config: TransportConfig, ledger: Ledger): Exporter | undefined
  connector(host: Host, config: TransportConfig): Connector | undefined
}
