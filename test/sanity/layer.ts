// The sanity layer on a host: the combinations that need no capability a container lacks (ext4 runs in a VM guest).
import type { TestResult } from '../layers/result.ts'
import { runSanity, type SanityOptions } from './run-sanity.ts'

const COMBINATIONS: readonly SanityOptions[] = [
  { mode: 'all-in-one', accessType: 'mount', fsType: 'xfs' },
  { mode: 'all-in-one', accessType: 'block' },
  { mode: 'split', accessType: 'mount', fsType: 'xfs' },
  { mode: 'split', accessType: 'block' },
]

/** Runs the combinations one after the other: csi-sanity counts volumes, so each needs a driver of its own. */
export const runSanityLayer = async ({ only }: { only?: string }): Promise<TestResult[]> => {
  const results: TestResult[] = []
  for (const combination of COMBINATIONS) {
    results.push(...(await runSanity({ ...combination, ...(only === undefined ? {} : { only }) })))
  }
  return results
}
