// Holds the writes to a volume that is served: it is not served for a moment, as when the storage host starts again.
import { CannotCutTogether, Unavailable } from '../../volume/errors.ts'
import type { LetGo } from '../../volume/let-go.ts'
import type { Op } from '../../volume/op.ts'
import type { Claim, VolumeId } from '../../volume/types.ts'
import { targetName } from './names.ts'
import type { Target } from './target.ts'

/**
 * What may only be read needs no hold. Else: nobody has a session any more, nor could begin one, when this answers: what initiators send waits on their side. The
 * answered function serves them again (`again`), and throws Unavailable if somebody else did so meanwhile.
 */
export async function pauseExport(
  target: Target,
  { id, claims }: { readonly id: VolumeId; readonly claims: readonly Claim[] },
  again: () => Promise<unknown>,
  op: Op,
): Promise<LetGo> {
  const asked = `hold the writes to ${id}`
  const shared = claims.find(({ session }) => session)
  if (shared) {
    throw new CannotCutTogether({
      asked,
      found: `it is a unit of the target of ${shared.node}, whose other volumes would get I/O errors`,
      next: 'unpublish it first, or publish it with iscsi.layout per-volume',
    })
  }
  if (claims.every(({ readonly }) => readonly)) return async () => undefined
  const name = targetName(id)
  await target.remove(name, op)
  return async () => {
    const shown = await target.find(name, op)
    await again()
    if (!shown) return
    throw new Unavailable({ asked, found: `somebody exported it as ${name} meanwhile`, next: 'call again' })
  }
}
