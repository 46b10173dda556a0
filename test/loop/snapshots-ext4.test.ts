// Snapshots and clones of a pool on ext4.
import { snapshotTests } from './snapshots.ts'

snapshotTests('ext4')
