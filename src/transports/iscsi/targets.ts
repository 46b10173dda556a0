// The registry of targets: one line each.
import type { Host } from '../../host/host.ts'
import type { IscsiSettings } from '../../schema/shapes/config.ts'
import { VolumeInUse } from '../../volume/errors.ts'
import type { Op } from '../../volume/op.ts'
import { lio } from './lio.ts'
import { volumeOfTarget } from './names.ts'
import type { TargetKind } from './target.ts'
import { tgt } from './tgt.ts'

export const TARGETS: Readonly<Record<IscsiSettings['target'], TargetKind>> = {
  lio,
  tgt,
}

/**
 * After a change of the setting nobody would look at what the former target still serves, and a volume that was unpublished
 * could still be written to. Throws VolumeInUse while there is any.
 */
export async function requireSoleTarget(host: Host, { target }: Pick<IscsiSettings, 'target'>, op: Op): Promise<void> {
  for (const [name, kind] of Object.entries(TARGETS)) {
    if (name === target || !(await kind.runs(host))) continue
    const other = kind.open(host)
    const exports = (await other.list(op)).map(each => volumeOfTarget(each.target))
    const units = ((await other.nodes?.list()) ?? []).map(({ id }) => id)
    const served = [...new Set([...exports, ...units])]
    if (served.length === 0) continue
    throw new VolumeInUse({
      asked: `serve volumes with ${target}`,
      found: `${name} still serves ${served.join(', ')}`,
      next: `set iscsi.target back to ${name}, unpublish these volumes, and change it then`,
    })
  }
}
