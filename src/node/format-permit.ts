// mkfs is a privilege: who may format what, as a pure function of what is known.
import type { Content } from '../linux/format.ts'
import type { FsType } from '../volume/capability.ts'

export interface Knowledge {
  /** The controller attests that not a byte was ever written to the volume. */
  readonly blankAttested: boolean
  /** What a probe past all caches found. */
  readonly content: Content
  readonly wanted: { readonly fsType: FsType; readonly uuid: string }
  /** This node began to format this volume and never saw the end of it. */
  readonly intent: { readonly fsType: FsType; readonly uuid: string } | undefined
  readonly readonly: boolean
}

export type Verdict =
  | { do: 'mount' }
  | { do: 'format'; clearFirst: boolean }
  /** The words say what was found. */
  | { do: 'refuse'; because: string }

export function decide({ blankAttested, content, wanted, intent, readonly }: Knowledge): Verdict {
  const refuse = (because: string): Verdict => ({ do: 'refuse', because })
  const ours = intent?.uuid === wanted.uuid && intent.fsType === wanted.fsType
  if (content.kind === 'filesystem') {
    if (content.type !== wanted.fsType) return refuse(`it holds ${content.type}, asked for ${wanted.fsType}`)
    if (content.uuid !== wanted.uuid)
      return refuse(`its filesystem has UUID ${content.uuid}, this volume’s is ${wanted.uuid}`)
    return { do: 'mount' }
  }
  if (readonly) return refuse('it is not formatted, and it is asked for read-only')
  if (ours) return { do: 'format', clearFirst: content.kind === 'unfinished-xfs' }
  switch (content.kind) {
    case 'blank':
      return blankAttested
        ? { do: 'format', clearFirst: false }
        : refuse('it looks blank, but the controller does not attest that it never held data')
    case 'unfinished-xfs':
      return refuse('its mkfs did not finish, and this node did not begin it')
    case 'unknown':
      return refuse(`it holds ${content.what}`)
  }
}
