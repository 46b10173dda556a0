// The registry of targets: one line each.
import type { IscsiSettings } from '../../schema/config.ts'
import { lio } from './lio.ts'
import type { TargetKind } from './target.ts'
import { tgt } from './tgt.ts'

export const TARGETS: Readonly<Record<IscsiSettings['target'], TargetKind>> = {
  lio,
  tgt,
}
