// What a test on the host asks a connector that runs in a VM, and what that answers.

/** Sizes travel as text. */
export interface SeenDevice {
  readonly path: string
  readonly kname: string
  readonly number: string
  readonly size: string
  readonly sectorSize: number
  readonly readonly: boolean
  readonly sequence: string
}

export interface Question {
  readonly verb: 'connect' | 'find' | 'verify' | 'identify' | 'troublesOf' | 'rescan' | 'disconnect' | 'list' | 'log'
  readonly id: string
  readonly route?: Readonly<Record<string, string>>
  readonly device?: SeenDevice
  /** Instead of some of the node's. */
  readonly settings?: object
}

/** What JSON can say. */
export type Sheet = null | string | number | boolean | readonly Sheet[] | { readonly [key: string]: Sheet }
export type Answer = { readonly value: Sheet } | { readonly kind: string; readonly message: string }
