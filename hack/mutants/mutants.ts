// The safety checks that hack/mutants/run.ts takes out, one at a time, and the tests that must notice.
import { check, type Mutant } from './mutant.ts'
import { OVER_THE_NETWORK } from './network.ts'

const SITE = 'src/controller/site.ts'
const EPHEMERAL = 'test/loop/ephemeral.test.ts'
const PERMIT = 'src/node/format-permit.ts'
const FORMAT = 'src/linux/format.ts'
const MARKER = 'src/linux/format-marker.ts'
const DEVICE = 'src/linux/device.ts'
const LOSETUP = 'src/linux/losetup.ts'
const MOUNT = 'src/linux/mount.ts'

export const MUTANTS: readonly Mutant[] = [
  // What may remove the data of a volume together with its publish
  check(
    SITE,
    'the agreement of id and record',
    'if (volume.id === id && (volume.ephemeral !== undefined) === (isEphemeral === true)) return',
    'if (true) return',
    EPHEMERAL,
  ),
  check(
    'src/node/ephemeral.ts',
    'the demand for the id of an ephemeral volume',
    'if (isAsked === isEphemeralHandle(id)) return isAsked',
    'if (true) return isAsked',
    EPHEMERAL,
  ),
  check(
    'src/node/recover.ts',
    'the data of a pod that is published again',
    'if (entry && isKeptForPod(entry)) return',
    '',
    EPHEMERAL,
  ),
  // Whether mkfs may run
  check(PERMIT, 'the attestation of the controller', 'if (!attested) return', 'if (false) return'),
  check(
    PERMIT,
    'the demand for nothing at all or the mark',
    "if (content.kind !== 'blank') return",
    'if (false) return',
  ),
  check(PERMIT, 'the refusal of foreign content', "if (content.kind === 'foreign') return", 'if (false) return'),
  check(PERMIT, 'the look at the storage below', 'if (dataBelow === true) return', 'if (false) return'),
  check(PERMIT, 'the refusal to format what is asked for read-only', 'if (readonly) return', 'if (false) return'),
  check(PERMIT, 'the comparison of the filesystem UUID', 'if (uuid === wanted.uuid) return', 'if (true) return'),
  check(PERMIT, 'the comparison of the filesystem type', 'if (type !== wanted.fsType) return', 'if (false) return'),
  check(FORMAT, 'the second opinion of wipefs', "if (stdout.trim() !== '')", 'if (false)'),
  check(FORMAT, 'the disbelief in a blkid that complains', "if (code === 2 && stderr.trim() !== '')", 'if (false)'),
  check(FORMAT, 'the reads of the places where superblocks live', 'return written === undefined', 'return true'),
  check(FORMAT, 'the look at sb_inprogress', 'head.charCodeAt(XFS_INPROGRESS) === 1', 'false'),
  check(
    FORMAT,
    'the proof that mkfs had an effect',
    "if (found.kind !== 'filesystem' ||",
    "if (found.kind === 'blank' &&",
  ),
  check(
    DEVICE,
    'the count of the bytes that a direct read brought',
    'if (stdout.length !== length) throw',
    'if (false) throw',
  ),
  check(
    MARKER,
    'the proof that the marks are there',
    'if (!spots.every(spot => found.includes(spot))) throw',
    'if (false) throw',
  ),
  check(MARKER, 'the proof that the marks are gone', 'if (left.length > 0) throw', 'if (false) throw'),
  check(MARKER, 'the comparison of the whole mark', 'pages[n] === markerPage(id)', "pages[n]?.startsWith('ashlar')"),
  // Which device
  check(LOSETUP, 'the comparison of inodes', 'if (inode !== file.inode ||', 'if ('),
  check(LOSETUP, 'the look at offset and limit', 'if (offset !== 0n || sizeLimit !== 0n) throw', 'if (false) throw'),
  check(
    'src/transports/loop.ts',
    'the comparison of disk sequence numbers',
    'now?.sequence === device.sequence &&',
    '',
  ),
  // Detach, mount, unmount
  check(
    LOSETUP,
    'the wait for the death of the filesystem',
    'if ((await liveFilesystems(host, device)).length > 0)',
    'if (false)',
  ),
  check(LOSETUP, 'the refusal to detach the last way to the data', 'if (isUnlinked(before)) {', 'if (false) {'),
  check(LOSETUP, 'the look for users before a detach', 'if (users.length > 0)', 'if (false)'),
  check(MOUNT, 'the refusal of a silent read-only mount', "readonly ? '-r' : '-w'", "readonly ? '-r' : '-v'"),
  check(MOUNT, 'the look at what mount did', 'if (!mount || mount.number !== device.number', 'if (!mount'),
  check(MOUNT, 'the look at what umount did', 'if (now >= left) {', 'if (false) {'),
  check(
    'src/linux/check.ts',
    'the refusal to mount an uncorrected ext4',
    'if (code === UNCORRECTED) {',
    'if (false) {',
  ),
  check('src/linux/grow.ts', 'the refusal to shrink', 'if (before.bytes > device.size) throw', 'if (false) throw'),
  // Crashes, hangs, other processes
  check(
    'src/node/journal.ts',
    'the refusal of unknown versions',
    'if (document?.version === VERSION && document.entry)',
    'if (document?.entry)',
  ),
  check(
    'src/linux/flock.ts',
    'the lock between processes',
    'const release = await holdFile(host, path, waitSeconds, op)',
    'const release = async () => undefined',
    'src/node/journal.test.ts',
  ),
  check(
    'src/linux/flock.ts',
    'the proof that a lock is of the file at its path',
    '[ "$each" -ef "$0" ] && exec cat',
    'exec cat',
  ),
  check(
    'src/host/local.ts',
    'the protection of commands that must finish',
    "if (command.onAbort === 'kill') {",
    'if (true) {',
  ),
  check(
    'src/host/isolated-files.ts',
    'the limit of threads for one place',
    'let isWaiting = running >= MOST_AT_ONCE',
    'let isWaiting = false',
  ),
  // Two writers
  {
    without: 'the exclusion of a second node',
    file: 'src/pools/file.ts',
    replace: ['requireSharable(id, claim, all)', ''],
    layer: 'contract',
    files: 'pool.contract',
  },
  {
    without: 'the refusal to delete what is published',
    file: 'src/pools/file-claims.ts',
    replace: ['if (!claim) return', 'return'],
    layer: 'contract',
    files: 'pool.contract',
  },
  ...OVER_THE_NETWORK,

  check(
    'src/host/local-files.ts',
    'the refusal to show a file whose caller was told that there is none',
    'requireInTime(path, isLate)\n    await link(draft, path)',
    'await link(draft, path)',
  ),
  check(
    'src/host/local.ts',
    'the look whether a lock was held until the end',
    'if (!hadEnded && exitCode === 0) return',
    'return',
  ),

  // Copies
  check(
    'src/pools/file-hold.ts',
    'the proof that the volume was held until its last byte was read',
    'if (own?.nonce === nonce) return',
    'if (own) return',
    'test/loop/pool-copies.test.ts',
  ),
  check(
    'src/pools/file-hold.ts',
    'the claim that a cut snapshot keeps after a crash',
    'if (parseSnapshotId(target) && (await isUnfinished(target))) return',
    '',
    'test/loop/pool-copies.test.ts',
  ),
  check(
    'src/pools/file-snapshots.ts',
    'the refusal to go on with a snapshot whose volume was given away',
    'else if (held.isNew) {',
    'else if (false) {',
    'test/loop/pool-copies.test.ts',
  ),
  check(
    'src/pools/file-snapshots.ts',
    'the proof that nothing reaches the bytes of a volume at rest',
    'await requireUnused()',
    '',
    'test/loop/pool-copies.test.ts',
  ),
  check(
    'src/pools/file-snapshots.ts',
    'the count of the copied bytes',
    'if (snapshot && snapshot.size === copy?.size) return part',
    'if (snapshot) return part',
    'test/loop/pool-copies.test.ts',
  ),
  check(
    'src/pools/file-restore.ts',
    'the blank beginning of a copy of nothing',
    'if (await isBlankFile(',
    'if (false && await isBlankFile(',
    'test/loop/pool-snapshots.test.ts',
  ),
  check(
    'src/volume/origin.ts',
    'the look at whose UUID a copied filesystem bears',
    'ancestor !== undefined && uuid === filesystemUuid(ancestor) ? ancestor : volume',
    'volume',
    'test/loop/controller-snapshots.test.ts',
  ),
  check(
    'src/volume/claim.ts',
    'the guard against nodes while the driver holds a volume',
    'each => each.node !== node &&',
    'each => each.node !== node && isNodeName(each.node) &&',
    'test/loop/pool-copies.test.ts',
  ),

  // Groups, and what changed between snapshots
  check(
    'src/transports/loop-pause.ts',
    'the proof that no write came through a pause',
    'if (after !== before) throw cameThrough(id, before, after)',
    'void cameThrough',
  ),
  check(
    'src/transports/loop-pause.ts',
    'the refusal to group a raw block volume in use',
    'if (node) {',
    'if (false) {',
  ),
  check(
    'src/controller/group-snapshots.ts',
    'the order in which a group locks its volumes',
    'request.sources.toSorted()',
    '[...request.sources]',
  ),
  check(
    'src/controller/group-snapshots.ts',
    'the demand for exactly the snapshots of a group',
    'if (isSame) return group',
    'if (true) return group',
  ),
  check(
    'src/pools/file-changes.ts',
    'the second look at where the base lies',
    'const after = await look(host, one, rest, op)',
    'const after = before',
  ),
  check(
    'src/pools/file-changes.ts',
    'the disbelief in addresses that are not shared',
    'if (a.shared === undefined || b.shared === undefined) return false',
    'if (a.shared === undefined || b.shared === undefined) return true',
  ),
  check(
    'src/pools/file-changes.ts',
    'the refusal to compare across filesystems',
    'if (one.device !== two.device) {',
    'if (false) {',
  ),
]
