// Clones of a pool on xfs whose driver is killed.
import { useDriver } from './harness.ts'
import { killTests } from './snapshot-kills.ts'

killTests(useDriver({ poolOn: 'xfs' }), 'xfs')
