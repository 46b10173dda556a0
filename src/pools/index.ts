// The registry of pools: one line each.
import { filePool } from './file.ts'
import type { PoolKind } from './pool.ts'

export const POOLS: Readonly<Record<string, PoolKind>> = {
  file: filePool,
}
