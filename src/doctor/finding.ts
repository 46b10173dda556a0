// What doctor says of one object: its verdict, what was found, what to do, and what --repair may do about it.
import type { Device } from '../linux/device.ts'
import type { Bytes, VolumeId } from '../volume/types.ts'

/** Something that no record accounts for; a record without the thing; a thing that is not what its record says. */
export type Verdict = 'ok' | 'orphan' | 'ghost' | 'mismatch'

export type Kind =
  | 'volume'
  | 'snapshot'
  | 'group'
  | 'claim'
  | 'draft'
  | 'trash'
  | 'export'
  | 'device'
  | 'view'
  | 'mount'
  | 'entry'
  | 'target'

/** Only what loses nothing. */
export type Repair =
  /** Bring an interrupted call to its end, or take it back. */
  | { readonly do: 'settle'; readonly id: VolumeId }
  /** Remove a journal entry of what is neither mounted nor attached. */
  | { readonly do: 'forget'; readonly id: VolumeId }
  | { readonly do: 'forget-target'; readonly id: VolumeId; readonly path: string }
  | { readonly do: 'detach'; readonly id: VolumeId; readonly device: Device }
  /** Log out from a target; refused while anything uses the disk. */
  | { readonly do: 'disconnect'; readonly id: VolumeId }
  /** Make the export of a volume what its claims say, and nothing if there are none. */
  | { readonly do: 'restore'; readonly id: VolumeId }
  | { readonly do: 'discard'; readonly pool: string; readonly path: string }
  /** Remove a document that was never finished. */
  | { readonly do: 'remove-draft'; readonly path: string }

export interface Subject {
  readonly kind: Kind
  /** A path, or the id of a volume. */
  readonly name: string
  readonly volume?: VolumeId | undefined
  readonly changed?: Date | undefined
  readonly size?: Bytes | undefined
  /** Of a device: at the next look its name may be another’s. */
  readonly sequence?: string | undefined
}

export interface Finding extends Subject {
  readonly verdict: Verdict
  readonly found: string
  readonly remedy: string
  readonly repair?: Repair | undefined
}

export interface Trouble {
  readonly found: string
  readonly remedy: string
  readonly repair?: Repair | undefined
}

export function ok(subject: Subject): Finding {
  return { ...subject, verdict: 'ok', found: 'in order', remedy: '' }
}

export function trouble(verdict: Exclude<Verdict, 'ok'>, subject: Subject, what: Trouble): Finding {
  return { ...subject, verdict, ...what }
}

/** Two looks at one trouble of one object have the same key. */
export function keyOf({ kind, name, sequence, verdict, repair }: Finding): string {
  return [kind, name, sequence ?? '', verdict, repair?.do ?? ''].join(' ')
}

export function describeRepair(repair: Repair): string {
  switch (repair.do) {
    case 'settle':
      return 'bring the interrupted call to its end, or take it back'
    case 'forget':
      return 'remove the journal entry'
    case 'forget-target':
      return 'remove the target from the journal entry'
    case 'detach':
      return `detach ${repair.device.path}, if nothing uses it`
    case 'disconnect':
      return 'log out from its target, if nothing uses it'
    case 'restore':
      return 'make the export what the claims say'
    case 'discard':
    case 'remove-draft':
      return `remove ${repair.path}`
  }
}
