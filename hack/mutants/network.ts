// Safety checks of volumes over a network, for mutants.ts.
import { check, type Mutant } from './mutant.ts'

const pausing = (without: string, before: string, after: string) =>
  check('src/transports/iscsi/pause.ts', without, before, after, 'src/transports/iscsi/exporter.test.ts')

export const OVER_THE_NETWORK: readonly Mutant[] = [
  check(
    'src/controller/site.ts',
    'the lock around changes of rights',
    'return isLocal ? await work() : await pool.alone(volume.id, op, work)',
    'return await work()',
    'src/controller/restore-exports.test.ts',
  ),
  check(
    'src/controller/restore-exports.ts',
    'the refusal to touch an export of another file',
    "if (seen && seen.backing !== backing.path && seen.backing !== '') {",
    'if (false) {',
  ),
  check(
    'src/node/expand-volume.ts',
    'what a disk is told again after it was looked at anew',
    'await tuneDevice(site.host, device, (await site.journal.find(id))?.tuning ?? {}, op)',
    '',
    'test/loop/modify.test.ts',
  ),
  check(
    'src/linux/block-queue.ts',
    'what a look at a disk must not change',
    "if (most === '0' && able !== '0') await tuneDiscard(host, disk, { discard: 'off' }, op)",
    '',
    'src/linux/scsi.test.ts',
  ),
  pausing('the end of all sessions of a paused volume', 'await target.remove(name, op)', ''),
  pausing('the look whether a pause held', 'if (!shown) return', 'return'),
  pausing('the refusal to pause below the target of a node', 'if (shared) {', 'if (false) {'),
  check(
    'src/transports/iscsi/exporter.ts',
    'the refusal of two nodes under one initiator name',
    'requireOwnInitiators(id, claims)',
    '',
  ),
  check(
    'src/transports/iscsi/exporter.ts',
    'a LUN number for each publish',
    "lunOf(id, claim.nonce ?? '')",
    "lunOf(id, '')",
    'test/loop/node-exports.test.ts',
  ),
  check(
    'src/transports/iscsi/names.ts',
    'the numbers that Linux makes disks of',
    'return (lun & 0xff00) === 0xc100 ? lun ^ 0x4000 : lun',
    'return lun === 0xc100 ? 1 : lun',
  ),
  check(
    'src/transports/iscsi/node-exports.ts',
    'the wait for all volumes of a node before it is let in',
    'missing: own.map(({ id }) => id).filter(id => !isThere(id)),',
    'missing: [],',
    'test/loop/node-exports.test.ts',
  ),
  check(
    'src/transports/iscsi/lio-node.ts',
    'the refusal to give the number of one volume to another',
    'if (other) throw showsOther(unit,',
    'if (false) throw showsOther(unit,',
  ),
  check(
    'src/transports/iscsi/logout.ts',
    'the look for disks of other volumes before a logout',
    'if (disks.length > own.length) kept.add(session.sid)',
    'if (false) kept.add(session.sid)',
    'src/transports/iscsi/node-session.test.ts',
  ),
  check(
    'src/transports/iscsi/route.ts',
    'the comparison of the target with the volume',
    'text => targets.includes(text)',
    "text => text.startsWith('iqn.')",
  ),
  check(
    'src/transports/iscsi/proof.ts',
    'the fresh look at the serial number',
    'await rescanDisk(host, before.kname, op)',
    '',
    'src/transports/iscsi/connector.test.ts',
  ),
  check(
    'src/transports/iscsi/logout.ts',
    'the last look before a disk goes',
    'if (await isClaimed(host, device, op))',
    'if (false)',
  ),
  check(
    'src/transports/iscsi/connector.ts',
    'the demand for as much proof as the node wants',
    'requireStrength(settings.chap, route)',
    '',
  ),
  check(
    'src/controller/restore-exports.ts',
    'the look at who can reach an export',
    '.filter(({ node }) => reaches(node))',
    '',
  ),
  check(
    'src/controller/expand-volume.ts',
    'the question whether the target can grow',
    'if (size > volume.size) await exporter.requireGrowable(id, op)',
    '',
  ),
  check(
    'src/linux/iscsiadm.ts',
    'the order not to scan at login',
    "['node.session.scan', 'manual'],",
    "['node.session.scan', 'auto'],",
  ),

  check(
    'src/controller/publish-volume.ts',
    'the refusal of a node whose initiator name another node has',
    'if (initiator !== undefined) requireOwnInitiator(asked, node, initiator, claims)',
    '',
  ),
  check(
    'src/controller/restore-exports.ts',
    'the refusal to export to claims that conflict',
    'for (const claim of others) requireSharable(id, claim, [first ?? claim, ...others])',
    '',
  ),
  check(
    'src/transports/iscsi/sessions.ts',
    'the refusal to take the disk of an earlier publish',
    'if (session.target !== route.target || lun !== route.lun) return undefined',
    'if (session.target !== route.target) return undefined',
    'src/transports/iscsi/connector.test.ts',
  ),
  check(
    'src/transports/iscsi/lio.ts',
    'the LUN that belongs to one publish',
    'chooseLun: () => usableLun(randomInt(1, LUNS))',
    'chooseLun: () => 1',
    'src/transports/iscsi/exporter.test.ts',
  ),
  check(
    'src/transports/iscsi/tgt.ts',
    'the target that keeps tgtd from hanging up',
    'if (targets.some(({ name }) => name === EMPTY_TARGET)) return',
    'if (true) return',
    'src/transports/iscsi/tgt.test.ts',
  ),
  check(
    'src/transports/iscsi/targets.ts',
    'the look at what another target still serves',
    'if (served.length === 0) continue',
    'if (true) continue',
    'src/transports/iscsi/targets.test.ts',
  ),
  check(
    'src/node/restage.ts',
    'the note of a stage that is to be tried again',
    'await site.journal.write({ ...entry, targets: [], again: true })',
    '',
    'test/loop/restage.test.ts',
  ),
  check(
    'src/app/wire.ts',
    'the look at other targets before a controller starts',
    'await requireSoleTarget(host, settings.iscsi, steady({ log }))',
    'void requireSoleTarget',
  ),
]
