// Mount options that a StorageClass may ask for: an allow-list, because an option can name a device, a helper or a loop.
import type { FsType } from './capability.ts'

const GENERIC = [
  'async|sync|dirsync',
  '(no)?atime|(no)?diratime|(no)?relatime|(no)?strictatime|(no)?lazytime',
  '(no)?suid|(no)?dev|(no)?exec|(no)?iversion|nosymfollow',
  '(no)?discard',
  'defaults|rw|ro|_netdev|nofail',
  // SELinux labels hold commas and come quoted from kubelet: context="system_u:object_r:container_file_t:s0:c1,c2"
  '(context|fscontext|defcontext|rootcontext)="[A-Za-z0-9_.:,-]+"',
]
const PER_FS: Readonly<Record<FsType, readonly string[]>> = {
  ext4: [
    'commit=\\d{1,4}',
    'errors=(remount-ro|continue)',
    'data=(ordered|journal|writeback)',
    'barrier=[01]|(no)?barrier|(no)?delalloc|(no)?auto_da_alloc|journal_checksum|journal_async_commit',
    'stripe=\\d{1,6}|inode_readahead_blks=\\d{1,6}|max_batch_time=\\d{1,6}|min_batch_time=\\d{1,6}',
    '(no)?user_xattr|(no)?acl|(no)?init_itable|init_itable=\\d{1,4}|noload|(usr|grp|prj)quota|(no)?quota',
  ],
  xfs: [
    'allocsize=\\d{1,10}[kmg]?|logbufs=[2-8]|logbsize=\\d{1,6}k?',
    'inode64|inode32|(no)?ikeep|largeio|nolargeio|swalloc|wsync|norecovery|noalign|(no)?attr2|sunit=\\d{1,6}|swidth=\\d{1,6}',
    '(u|g|p)?quota|(u|g|p)qnoenforce|noquota|usrquota|grpquota|prjquota',
  ],
}

/** The first option that is not allowed for the filesystem, or undefined if all are. */
export function firstRefusedOption(flags: readonly string[], fsType: FsType): string | undefined {
  return splitOptions(flags).find(option => !isAllowed(option, fsType))
}

/** One option each: flags may hold several joined by commas, as in `mount -o`; quoted commas stay. */
export function splitOptions(flags: readonly string[]): string[] {
  return flags.flatMap(flag => flag.match(/(?:[^,"]|"[^"]*")+/g) ?? [])
}

function isAllowed(option: string, fsType: FsType): boolean {
  return [...GENERIC, ...PER_FS[fsType]].some(pattern => new RegExp(`^(?:${pattern})$`).test(option))
}
