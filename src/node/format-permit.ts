// mkfs is a privilege: who may format what, as a pure function of what is known.
import { type Content, describeContent } from '../linux/format.ts'
import type { FsType } from '../volume/capability.ts'

export interface Knowledge {
  /** The controller attests that the volume holds no data: nothing at all, or an unfinished format. */
  readonly attested: boolean
  /** What a probe past all caches found. */
  readonly content: Content
  /** The device bears this volume's mark of an unfinished format: it was never mounted. */
  readonly marked: boolean
  /** Does the storage below hold data, wherever? undefined when the transport cannot tell. */
  readonly dataBelow: boolean | undefined
  readonly wanted: { readonly fsType: FsType; readonly uuid: string }
  /** The volume began as a copy of one whose filesystem has this UUID. */
  readonly sourceUuid: string | undefined
  readonly readonly: boolean
}

export type Verdict =
  | { do: 'mount' }
  /** The filesystem is complete, but the mark of its format is still there. */
  | { do: 'finish' }
  | { do: 'format'; clearFirst: boolean }
  /** A copy that still bears the UUID of its source. */
  | { do: 'rename' }
  /** The words say what was found. */
  | { do: 'refuse'; because: string }

export function decide(known: Knowledge): Verdict {
  const { attested, content, marked, dataBelow, readonly } = known
  if (content.kind === 'filesystem') return decideOnFilesystem(content, known)
  if (readonly) return refuse('it is not formatted, and it is asked for read-only')
  const found = describeContent(content)
  if (content.kind === 'foreign') return refuse(`it holds ${found}`)
  if (!attested) return refuse(`it holds ${found}, and the controller does not attest that it never held data`)
  if (marked) return { do: 'format', clearFirst: content.kind === 'unfinished-xfs' }
  if (content.kind !== 'blank') return refuse(`it holds ${found}, and does not bear the mark of an unfinished format`)
  if (dataBelow === true) return refuse('it reads as blank, but the storage below it holds data')
  return { do: 'format', clearFirst: false }
}

function decideOnFilesystem(
  { type, uuid }: { type: string; uuid: string },
  { attested, marked, wanted, sourceUuid, readonly }: Knowledge,
): Verdict {
  if (type !== wanted.fsType) return refuse(`it holds ${type}, asked for ${wanted.fsType}`)
  if (uuid === wanted.uuid) return attested && marked && !readonly ? { do: 'finish' } : { do: 'mount' }
  if (uuid === sourceUuid) return readonly ? { do: 'mount' } : { do: 'rename' }
  return refuse(`its filesystem has UUID ${uuid}, this volume’s is ${wanted.uuid}`)
}

function refuse(because: string): Verdict {
  return { do: 'refuse', because }
}
