// Snapshots and clones of a pool on xfs.
import { snapshotTests } from './snapshots.ts'

snapshotTests('xfs')
