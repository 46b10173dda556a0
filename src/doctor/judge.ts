// From facts to verdicts: a pure function, so that every kind of trouble is one row of a test.
import type { Finding } from './finding.ts'
import { judgeDevices } from './judge-devices.ts'
import { judgeExports } from './judge-exports.ts'
import { judgeJournal } from './judge-journal.ts'
import { judgePools } from './judge-pools.ts'
import { arrange } from './records.ts'
import type { Survey } from './survey.ts'

/** One finding for every object that bears our stamp, the ones in order too. */
export function judge(facts: Survey): Finding[] {
  const records = facts.node && arrange(facts, facts.node)
  return [
    ...judgePools(facts),
    ...judgeExports(facts),
    ...(records ? [...judgeJournal(records), ...judgeDevices(records)] : []),
  ]
}
