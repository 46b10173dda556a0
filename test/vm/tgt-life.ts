// Runs in a guest: the life of exports of tgt, with commands of the initiator by hand.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { localHost } from '../../src/host/local.ts'
import { initiatorName, serialOf, targetName } from '../../src/transports/iscsi/names.ts'
import type { ExportDocument } from '../../src/transports/iscsi/target.ts'
import { tgt } from '../../src/transports/iscsi/tgt.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import { failure, MIB, testOp } from '../fixtures.ts'
import { beginLogin } from './iscsi-login.ts'

const PORTAL = '127.0.0.1:3260'
/** A disk below device-mapper, which can suspend it. */
const DISK = 'ashlar-tgt'
const SIZE = 16n * MIB
const FOREIGN = 'iqn.2001-04.com.example:foreign'
const [A, B] = [initiatorName('node-a'), initiatorName('node-b')]
const id = encodeVolumeId('default', 'tgt-life')
const TARGET = targetName(id)

const run = (file: string, ...args: string[]): string => execFileSync(file, args, { encoding: 'utf8' }).trim()
const started = Date.now()
const say = (what: string): void => console.log(`${((Date.now() - started) / 1000).toFixed(1)} s: ${what}`)
async function until<T>(look: () => T | undefined | false): Promise<T> {
  for (;;) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await pause(100)
  }
}

const folder = mkdtempSync(join(tmpdir(), 'tgt-'))
const pool = join(folder, 'pool')
const file = join(pool, 'data')
for (const module of ['dm_mod', 'iscsi_tcp', 'sd_mod']) run('modprobe', module)
for (const path of [pool, '/run/lock/iscsi']) mkdirSync(path, { recursive: true })
run('truncate', '--size=1G', join(folder, 'disk'))
const loop = run('losetup', '--find', '--show', join(folder, 'disk'))
run('dmsetup', 'create', DISK, '--table', `0 ${run('blockdev', '--getsz', loop)} linear ${loop} 0`)
run('dmsetup', 'mknodes')
run('mkfs.xfs', '-q', `/dev/mapper/${DISK}`)
run('mount', `/dev/mapper/${DISK}`, pool)
for (const path of [file, join(pool, 'foreign')]) run('truncate', '--size=16M', path)

const target = tgt.open(localHost([pool]))
const op = testOp()
/** As the driver chooses one, and as Linux names it. */
const LUN = 0x4000 + 16_001
const documentOf = (initiators: string[], readonly = false): ExportDocument => ({
  target: TARGET,
  serial: serialOf(id),
  backing: { path: file, size: SIZE },
  sectorSize: 512,
  portals: [PORTAL],
  rights: initiators.map(initiator => ({ initiator, readonly, lun: LUN })),
})
const checksum = (): string => createHash('sha256').update(readFileSync(file)).digest('hex')
const daemon = (): string =>
  readdirSync('/proc').find(pid => {
    const comm = join('/proc', pid, 'comm')
    return /^\d+$/.test(pid) && existsSync(comm) && readFileSync(comm, 'utf8') === 'tgtd\n'
  }) ?? ''
const filesOfDaemon = (): string[] =>
  readdirSync(`/proc/${daemon()}/fd`).map(fd => readlinkSync(`/proc/${daemon()}/fd/${fd}`))
/** Their states, a letter each. */
const threadsOfDaemon = (): string[] => {
  const tasks = `/proc/${daemon()}/task`
  return readdirSync(tasks).map(task => readFileSync(join(tasks, task, 'stat'), 'utf8').replace(/^.*\) (.).*$/s, '$1'))
}
const tgtadm = (...args: string[]): string => run('tgtadm', '--lld', 'iscsi', ...args)
const foreign = (): string | undefined =>
  tgtadm('--op', 'show', '--mode', 'target')
    .split(/^(?=Target )/m)
    .find(each => each.includes(FOREIGN))
    ?.trim()

function login(initiator: string): void {
  run('iscsiadm', '-m', 'node', '-o', 'new', '-T', TARGET, '-p', `${PORTAL},1`)
  const record = `/etc/iscsi/nodes/${TARGET}/127.0.0.1,3260,1/default`
  const name = `iface.initiatorname = ${initiator}`
  writeFileSync(record, readFileSync(record, 'utf8').replace(/^iface\.iscsi_ifacename.*$/m, `$&\n${name}`))
  run('iscsiadm', '-m', 'node', '-T', TARGET, '-p', PORTAL, '--login')
}
const logout = (): string => run('iscsiadm', '-m', 'node', '-T', TARGET, '-p', PORTAL, '--logout')

/** The disk of the session, as soon as the kernel shows it. */
function findDisk(): string | undefined {
  const sessions = '/sys/class/iscsi_session'
  for (const session of existsSync(sessions) ? readdirSync(sessions) : []) {
    if (readFileSync(join(sessions, session, 'targetname'), 'utf8').trim() !== TARGET) continue
    const device = join(sessions, session, 'device')
    for (const host of readdirSync(device).filter(each => each.startsWith('target')))
      for (const lun of readdirSync(join(device, host)).filter(each => each.endsWith(`:${LUN}`))) {
        const block = join(device, host, lun, 'block')
        const [disk] = existsSync(block) ? readdirSync(block) : []
        if (disk !== undefined) return disk
      }
  }
  return undefined
}
const attribute = (disk: string, name: string): string => readFileSync(`/sys/block/${disk}/${name}`, 'utf8').trim()
const write = (disk: string, text: string, at = 0): void => {
  const args = [`of=/dev/${disk}`, 'bs=4k', 'count=1', `seek=${at}`, 'oflag=direct', 'conv=notrunc']
  execFileSync('dd', args, { input: text.padEnd(4096, '.'), stdio: ['pipe', 'ignore', 'ignore'] })
}
const written = (at = 0): string =>
  readFileSync(file, 'latin1')
    .slice(at * 4096, at * 4096 + 4)
    .replaceAll('.', '')
/** Writes all over the disk, again and again, until it is killed. `more`: arguments of dd. */
const writer = (disk: string, more = '') => {
  const all = `of=/dev/${disk} bs=4k oflag=direct conv=notrunc iflag=fullblock ${more}`
  return spawn('bash', ['-c', `while :; do date +%N | yes | dd ${all} 2>/dev/null; done`], { stdio: 'ignore' })
}

await assert.rejects(target.apply(documentOf([A]), op), failure('unavailable', /systemctl start tgt/))
assert.deepEqual(await target.list(op), [])
run('iscsid')
run('tgtd', '--iscsi', `portal=${PORTAL}`)
await until(() => existsSync('/run/tgtd/socket.0') || existsSync('/var/run/tgtd/socket.0'))
for (const args of [
  ['--op', 'new', '--mode', 'target', '--tid', '1', '--targetname', FOREIGN],
  ['--op', 'new', '--mode', 'logicalunit', '--tid', '1', '--lun', '1', '--backing-store', join(pool, 'foreign')],
  ['--op', 'bind', '--mode', 'target', '--tid', '1', '--initiator-address', 'ALL'],
])
  tgtadm(...args)
const foreignBefore = foreign()

say('life')
await target.apply(documentOf([A]), op)
login(A)
let disk = await until(findDisk)
assert.equal(attribute(disk, 'size'), String(SIZE / 512n))
assert.equal(attribute(disk, 'ro'), '0')
assert.equal(readFileSync(`/sys/block/${disk}/device/vpd_pg80`, 'latin1').slice(4).trim(), serialOf(id))
assert.equal(attribute(disk, 'device/wwid'), `naa.6${serialOf(id).slice(1)}`)
assert.notEqual(attribute(disk, 'queue/discard_max_bytes'), '0')
write(disk, 'one')
assert.equal(written(), 'one')
await target.apply(documentOf([A]), op)
const [shown] = await target.list(op)
assert.deepEqual(shown, await target.find(TARGET, op))
assert.deepEqual(
  [shown?.size, shown?.enabled, shown?.initiators],
  [SIZE, true, [{ name: A, readonly: false, sessions: 1 }]],
)

say('a right is taken from a writer, and from a login that has begun')
const half = await beginLogin(3260, A, TARGET)
const busy = writer(disk)
const first = checksum()
await until(() => checksum() !== first)
const before = Date.now()
await target.revoke(TARGET, A, op)
const last = checksum()
say(`revoked in ${Date.now() - before} ms`)
await pause(5000) // the initiator tries to log in again every 2 s
assert.equal(checksum(), last, 'a write landed after the right was taken away')
assert.equal(await half.finish(), false)
assert.deepEqual([await target.find(TARGET, op), filesOfDaemon().includes(file)], [undefined, false])
await target.apply(documentOf([B]), op)
await pause(3000)
assert.equal(checksum(), last, 'a write landed though only another may write')
assert.deepEqual((await target.find(TARGET, op))?.initiators, [{ name: B, readonly: false, sessions: 0 }])
busy.kill()
logout()

say('read-only')
await target.apply(documentOf([B], true), op)
login(B)
disk = await until(findDisk)
assert.equal(attribute(disk, 'ro'), '1')
run('blockdev', '--setrw', `/dev/${disk}`)
assert.throws(() => write(disk, 'never'))
assert.equal(checksum(), last)
logout()

say('a write that hangs on a dead disk')
await target.apply(documentOf([A]), op)
login(A)
disk = await until(findDisk)
run('dmsetup', 'suspend', '--nolockfs', DISK)
// tgtd acknowledges from memory; a flush goes to the disk, and the thread of tgtd that waits for it cannot be killed.
const stuck = writer(disk, 'count=4 conv=fsync')
await until(() => threadsOfDaemon().includes('D'))
const caller = new AbortController()
setTimeout(() => caller.abort(), 4000)
await assert.rejects(target.revoke(TARGET, A, testOp(caller.signal)), failure('cancelled'))
run('dmsetup', 'resume', DISK)
await target.revoke(TARGET, A, op)
const resumed = checksum()
await pause(3000)
assert.equal(checksum(), resumed)
assert.equal(await target.find(TARGET, op), undefined)
stuck.kill()
logout()
assert.equal(foreign(), foreignBefore)

say('tgtd is killed below a writer, and comes back with nothing')
await target.apply(documentOf([B]), op)
login(B)
disk = await until(findDisk)
process.kill(Number(daemon()), 'SIGKILL')
assert.equal(await target.find(TARGET, op), undefined)
const late = spawn('dd', [`of=/dev/${disk}`, 'bs=4k', 'oflag=direct', 'conv=notrunc'], {
  stdio: ['pipe', 'ignore', 'ignore'],
})
late.stdin.end('late'.padEnd(4096, '.'))
const ended = new Promise(resolve => late.once('exit', resolve))
// Not where the initiator tries: see ensureEmptyTarget().
run('tgtd', '--iscsi', 'portal=127.0.0.2:3260')
await until(() => tgtadm('--op', 'show', '--mode', 'portal') !== '')
const back = Date.now()
await target.apply(documentOf([B]), op)
assert.equal(await ended, 0)
say(`the write went on ${Date.now() - back} ms after the export came back`)
assert.equal(written(), 'late')
logout()
await target.remove(TARGET, op)
await target.remove(TARGET, op)
assert.deepEqual([await target.list(op), filesOfDaemon().includes(file)], [[], false])
// It could also hang up, which would be the end of a session of open-iscsi.
await assert.rejects(beginLogin(3260, A, TARGET), /status 2/)
say('done')
process.exit()
