// What serves volumes to initiators: the interface of LIO and tgt.
import type { Host } from '../../host/host.ts'
import type { Op } from '../../volume/op.ts'
import type { Secret } from '../../volume/secret.ts'
import type { Backing, Bytes, VolumeId } from '../../volume/types.ts'

/** What initiators find below a target. */
export interface Content {
  /** IQN */
  readonly target: string
  /** Unit serial number: 32 hexadecimal digits. */
  readonly serial: string
  readonly backing: Backing
  readonly sectorSize: number
}

/** How one volume is to be exported: all of it, so that the same document always leads to the same export. */
export interface ExportDocument extends Content {
  /** IP:PORT */
  readonly portals: readonly string[]
  /** Who may use it, and nobody else. At least one. */
  readonly rights: readonly Right[]
}

/** A volume as one node is to find it below a target that it shares with the node's others: its one right is the node's. */
export interface UnitDocument extends ExportDocument {
  readonly id: VolumeId
  readonly lun: number
}

export interface Right {
  /** IQN of the initiator. */
  readonly initiator: string
  /** Enforced by the target. */
  readonly readonly: boolean
  /** Under which it finds the volume. */
  readonly lun: number
  /** undefined: no authentication beyond the initiator's name. */
  readonly chap?: Chap
}

export interface Credentials {
  readonly user: string
  readonly password: Secret
}

export interface Chap extends Credentials {
  /** The target proves itself to the initiator too. */
  readonly mutual?: Credentials
}

/** An export as it is found; whoever made it, if its target's name is one that this driver gives. */
export interface Shown {
  readonly target: string
  readonly serial: string
  /** Path of the file; '' when there is none (yet). */
  readonly backing: string
  readonly size: Bytes
  /** Logins are accepted. */
  readonly enabled: boolean
  readonly initiators: readonly {
    readonly name: string
    readonly readonly: boolean
    readonly sessions: number
  }[]
}

/** A unit as it is found, whoever made it. */
export interface ShownUnit {
  readonly target: string
  readonly id: VolumeId
  readonly lun: number
  /** undefined when nobody may use it. */
  readonly initiator: string | undefined
  readonly readonly: boolean
  /** Its target accepts logins, of this initiator only. */
  readonly enabled: boolean
}

/**
 * One target for each node, with a LUN for each volume. The same promises as those of Target; of two calls for one target
 * the caller lets the second wait.
 */
export interface NodeTargets {
  /** Adds or completes a unit, and leaves the sessions of the node alone. A target that is new accepts no logins yet. */
  add(unit: UnitDocument, op: Op): Promise<void>
  /** Accepts logins: not before all units are there, or the node would get I/O errors for those that are missing. */
  open(target: string, op: Op): Promise<void>
  /**
   * Takes a unit away, and the target with the last one: after this no write of the node reaches the file. Sessions go on
   * while other units are left.
   */
  take(target: string, id: VolumeId, op: Op): Promise<void>
  /** The units of all targets of nodes, or those of one volume. */
  list(id?: VolumeId): Promise<ShownUnit[]>
  /** The units of one target, or the one of a volume; undefined when there is no such target. */
  find(target: string, id?: VolumeId): Promise<ShownUnit[] | undefined>
}

/** All methods are safe to repeat, also after a crash at any instant, and touch nothing that this driver did not make. */
export interface Target {
  /**
   * A LUN for a new right, beside those of the rights that there are. Of this publish only: a disk that a node kept from
   * before would come to life again, and write what it still holds, if the node found the volume under the same number.
   */
  chooseLun(others: readonly number[]): number
  /** Can a volume grow while it is exported? */
  readonly growsOnline: boolean
  /**
   * Makes the export what the document says; nobody can log in before all of it is true. An export that bears another
   * serial or shows another file is never changed into this one: throws WrongDevice.
   */
  apply(document: ExportDocument, op: Op): Promise<void>
  /** Takes the initiator's right away and ends its sessions: after this none of its writes reaches the file. */
  revoke(target: string, initiator: string, op: Op): Promise<void>
  /** Ends all sessions and takes the whole export away: after this nothing here has the file open. */
  remove(target: string, op: Op): Promise<void>
  /** Shows the size that the backing file has now. Only where `growsOnline`. */
  grow(target: string, backing: Backing, op: Op): Promise<void>
  find(target: string, op: Op): Promise<Shown | undefined>
  /** Every export whose target's name is one that this driver gives. */
  list(op: Op): Promise<Shown[]>
  /** Absent where a target cannot be a node's. */
  readonly nodes?: NodeTargets
}

/** A registry entry. */
export interface TargetKind {
  open(host: Host): Target
  /** Might this host serve anything with it now? */
  runs(host: Host): Promise<boolean>
}
