// Snapshots and clones of a pool on btrfs.
import { snapshotTests } from './snapshots.ts'

snapshotTests('btrfs')
