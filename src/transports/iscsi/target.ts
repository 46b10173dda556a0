// What serves volumes to initiators: the interface of LIO and tgt.
import type { Host } from '../../host/host.ts'
import type { Op } from '../../volume/op.ts'
import type { Secret } from '../../volume/secret.ts'
import type { Backing, Bytes } from '../../volume/types.ts'

/** How one volume is to be exported: all of it, so that the same document always leads to the same export. */
export interface ExportDocument {
  /** IQN; one target a volume. */
  readonly target: string
  /** Unit serial number: 32 hexadecimal digits. */
  readonly serial: string
  readonly backing: Backing
  readonly sectorSize: number
  /** IP:PORT */
  readonly portals: readonly string[]
  /** Who may use it, and nobody else. At least one. */
  readonly rights: readonly Right[]
}

export interface Right {
  /** IQN of the initiator. */
  readonly initiator: string
  /** Enforced by the target. */
  readonly readonly: boolean
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

/** All methods are safe to repeat, also after a crash at any instant, and touch nothing that this driver did not make. */
export interface Target {
  /** The number under which initiators find the volume. */
  readonly lun: number
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
}

/** A registry entry. */
export interface TargetKind {
  open(host: Host): Target
}
