// The node's half of iSCSI on a real kernel: open-iscsi on one VM, LIO on another, and cables that can be cut.
/* eslint-disable max-lines -- one cluster, booted once, and all that is asked of it */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Lab } from '../../hack/lab/lab.ts'
import { localHost } from '../../src/host/local.ts'
import type { IscsiSettings } from '../../src/schema/config.ts'
import { deriveChap, readKeys } from '../../src/transports/iscsi/chap.ts'
import { initiatorName, serialOf, targetName } from '../../src/transports/iscsi/names.ts'
import { encodeIscsiRoute, type IscsiRoute } from '../../src/transports/iscsi/route.ts'
import type { Chap } from '../../src/transports/iscsi/target.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import { openStorage, type Storage } from './initiator-storage.ts'
import { type Answer, openTalk, type Question, type SeenDevice, type Talk } from './initiator-talk.ts'

const ROOT = join(import.meta.dirname, '../..')
const TOPOLOGY = {
  nets: ['san0', 'san1'],
  vms: {
    storage: { index: 1, memory: 384 },
    'node-a': { index: 11, memory: 1024, cpus: 2, visible: [ROOT], translationCache: 512 },
  },
}
const PORTALS = ['10.77.0.1:3260', '10.77.1.1:3260']
const NAME = initiatorName('node-a')
const SIZE = 64n * 1024n * 1024n
const SETTINGS: IscsiSettings = {
  target: 'lio',
  portals: [],
  chap: 'none',
  inHostNamespaces: false,
  loginTimeoutSeconds: 5,
  replacementTimeoutSeconds: 8,
  noopIntervalSeconds: 5,
  noopTimeoutSeconds: 15, // a busy machine emulates slowly
}

interface Bench {
  readonly lab: Lab
  readonly storage: Storage
  readonly talk: Talk
  /** Standard output of a command on the node. */
  node(command: string): Promise<string>
}

type Ask = Omit<Question, 'verb'>
type Verb = Question['verb']

async function succeed<T = unknown>({ talk }: Bench, verb: Verb, rest: Ask): Promise<T> {
  const answer = await talk.ask({ verb, ...rest })
  assert.ok(!('kind' in answer), `${verb}: ${JSON.stringify(answer)}`)
  return answer.value as T
}

async function refuse({ talk }: Bench, kind: string, words: RegExp, verb: Verb, rest: Ask): Promise<void> {
  const answer: Answer = await talk.ask({ verb, ...rest })
  assert.ok('kind' in answer, `${verb} succeeded: ${JSON.stringify(answer)}`)
  assert.equal(answer.kind, kind, answer.message)
  assert.match(answer.message, words)
}

/** A volume that the storage host shows to the node through both portals. */
async function exported(
  { storage }: Bench,
  name: string,
  { protect = 0, chap }: { protect?: number; chap?: Chap } = {},
) {
  const id = encodeVolumeId('p', name)
  const target = targetName(id)
  const users = (side: string, { user, password }: { user: string; password: Chap['password'] }) =>
    `echo -n ${user} >$auth/userid${side}; echo -n ${password.reveal()} >$auth/password${side};`
  await storage.run(`backstore ${name} ${serialOf(id)} ${SIZE}
    target ${target} ${NAME} ${chap ? 1 : 0} ${PORTALS.join(' ')}
    show ${target} ${NAME} ${protect} ${name}
    auth=$C/iscsi/${target}/tpgt_1/acls/${NAME}/auth
    ${chap ? users('', chap) : ''} ${chap?.mutual ? users('_mutual', chap.mutual) : ''}
    echo 1 >$C/iscsi/${target}/tpgt_1/enable`)
  const base: IscsiRoute = {
    target,
    lun: 0,
    portals: PORTALS,
    serial: serialOf(id),
    size: SIZE,
    sectorSize: 512,
    readonly: false,
    chap: { mode: 'none' },
  }
  const route = (rest: Partial<IscsiRoute> = {}) => encodeIscsiRoute({ ...base, ...rest })
  return { id, name, target, serial: serialOf(id), route }
}

/** Sessions and records that are left of a target on the node, and tools that still run. */
const REMAINS = (target: string) => `
  grep -l ${target} /sys/class/iscsi_session/*/targetname
  find /etc/iscsi/nodes /etc/iscsi/static -name '*${target}*'
  pgrep -af 'iscsiadm .*${target}'`

/** The sessions of a target, as their states, and their disks. */
const SESSIONS = (target: string) =>
  `for file in $(grep -l ${target} /sys/class/iscsi_session/*/targetname); do s=\${file%/targetname}; cat $s/state; ls $s/device/target*/*/block; done 2>/dev/null; true`

async function requireNothing(bench: Bench, { target }: { target: string }): Promise<void> {
  assert.equal(await bench.node(`{ ${REMAINS(target)}; } 2>/dev/null || true`), '')
}

/** Looks until the condition holds. */
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (let n = 0; n < 300; n += 1) {
    if (await holds()) return
    await sleep(200)
  }
  assert.fail(`${what}: not within a minute`)
}

async function twoVolumes(bench: Bench): Promise<void> {
  const [one, two] = [await exported(bench, 'one'), await exported(bench, 'two')]
  const [first, second] = await Promise.all(
    [one, two].map(({ id, route }) => succeed<SeenDevice>(bench, 'connect', { id, route: route() })),
  )
  assert.ok(first && second && first.path !== second.path)
  assert.deepEqual([first.size, first.readonly, first.sectorSize], [String(SIZE), false, 512])
  assert.deepEqual(await succeed(bench, 'connect', { id: one.id, route: one.route() }), first)
  assert.deepEqual(await succeed(bench, 'find', { id: two.id }), second)
  assert.equal(await succeed(bench, 'identify', { id: '', device: second }), two.id)
  assert.deepEqual(await succeed(bench, 'troublesOf', { id: '', device: first }), [])
  await succeed(bench, 'verify', { id: one.id, device: first })
  await refuse(bench, 'failed-precondition', new RegExp(one.target), 'verify', { id: two.id, device: first })
  for (const [{ target }, { kname }] of [[one, first] as const, [two, second] as const])
    await until('one session', async () => (await bench.node(SESSIONS(target))) === `LOGGED_IN\n${kname}`)
  await bench.node(`echo mine | dd of=${first.path} conv=notrunc,sync bs=4k oflag=direct status=none`)
  assert.equal(await bench.storage.run('head -c 4 /srv/one; head -c 4 /srv/two | tr -d "\\0"'), 'mine')
  await bench.storage.run(`truncate -s 128M /srv/one; echo fd_dev_size=134217728 >$C/core/fileio_0/one/control`)
  assert.equal((await succeed<SeenDevice>(bench, 'rescan', { id: '', device: first })).size, '134217728')
  await succeed(bench, 'disconnect', { id: one.id })
  assert.deepEqual(await succeed(bench, 'find', { id: two.id }), second)
  assert.equal(await succeed(bench, 'find', { id: one.id }), null)
  await succeed(bench, 'disconnect', { id: two.id })
  await succeed(bench, 'disconnect', { id: two.id })
  await requireNothing(bench, one)
  await requireNothing(bench, two)
}

async function deadPortal(bench: Bench): Promise<void> {
  const volume = await exported(bench, 'portal')
  const patient = { id: volume.id, route: volume.route(), settings: { loginTimeoutSeconds: 40 } }
  const attempts = `pgrep -af 'iscsiadm .*${volume.target}' || true`
  await bench.lab.vm('storage').cut('san1')
  let device: SeenDevice
  try {
    device = await succeed<SeenDevice>(bench, 'connect', patient)
    const running = await bench.node(attempts)
    assert.match(running, /10\.77\.1\.1.*--login/, 'the answer came while the dead portal was still tried')
  } finally {
    await bench.lab.vm('storage').heal('san1')
  }
  await until('the end of the attempt', async () => (await bench.node(attempts)) === '')
  assert.equal(await bench.node(SESSIONS(volume.target)), `LOGGED_IN\n${device.kname}`)
  await succeed(bench, 'disconnect', patient)
  await requireNothing(bench, volume)
  await bench.lab.vm('storage').cut('san0', 'san1')
  try {
    const words = /10\.77\.\d\.1:3260: it cannot be reached; 10\.77\.\d\.1:3260: it cannot be reached/
    await refuse(bench, 'unavailable', words, 'connect', { id: volume.id, route: volume.route() })
  } finally {
    await bench.lab.vm('storage').heal('san0', 'san1')
  }
  await succeed(bench, 'disconnect', { id: volume.id })
  await requireNothing(bench, volume)
}

async function chapSecrets(bench: Bench): Promise<void> {
  const folder = join(bench.lab.share, 'keys')
  mkdirSync(folder, { recursive: true })
  const files = { right: 'r'.repeat(40), wrong: 'w'.repeat(40) }
  for (const [name, key] of Object.entries(files)) writeFileSync(join(folder, name), `${key}\n`)
  const keys = await readKeys(localHost().files, join(folder, 'right'))
  const [key = ''] = keys.keys()
  const settings = (file: string) => ({ chap: 'mutual', chapKeyFile: `/lab/share/keys/${file}` })
  for (const mode of ['one-way', 'mutual'] as const) {
    const name = mode.replace('-', '')
    const id = encodeVolumeId('p', name)
    const route = { mode, nonce: 'c0ffee11'.repeat(4), key }
    const chap = deriveChap(keys, route, { target: targetName(id), initiator: NAME })
    assert.ok(chap)
    const volume = await exported(bench, name, { chap })
    const ask = { id, route: volume.route({ chap: route }), settings: settings('right') }
    await succeed(bench, 'connect', ask)
    assert.equal(await bench.node(`stat -c %a /etc/iscsi/nodes/${volume.target}/*/default | sort -u`), '600')
    await succeed(bench, 'disconnect', ask)
    await refuse(bench, 'unavailable', /10\.77\.0\.1:3260: the target does not admit this initiator/, 'connect', {
      ...ask,
      route: volume.route(),
    })
    if (mode === 'mutual') {
      const auth = `$C/iscsi/${volume.target}/tpgt_1/acls/${NAME}/auth`
      await bench.storage.run(`echo -n another-password >${auth}/password_mutual`)
      await refuse(bench, 'unavailable', /prove itself/, 'connect', ask)
    }
    await succeed(bench, 'disconnect', ask)
    await requireNothing(bench, volume)
    const log = (await succeed<string[]>(bench, 'log', { id: '' })).join('\n')
    assert.ok(log.includes('iscsiadm'))
    for (const secret of [chap.password, chap.mutual?.password]) {
      if (secret) assert.ok(!log.includes(secret.reveal()))
    }
  }
}

async function wrongIdentity(bench: Bench): Promise<void> {
  const [volume, other] = [await exported(bench, 'own'), await exported(bench, 'other')]
  const both = new RegExp(`${other.serial}.*${volume.serial}`)
  const ask = { id: volume.id, route: volume.route() }
  const point = (name: string) =>
    bench.storage.run(`hide ${volume.target} ${NAME}; show ${volume.target} ${NAME} 0 ${name}`)
  await point('other')
  await refuse(bench, 'failed-precondition', both, 'connect', ask)
  await succeed(bench, 'disconnect', ask)
  await requireNothing(bench, volume)
  await point('own')
  const device = await succeed<SeenDevice>(bench, 'connect', ask)
  await point('other')
  await refuse(bench, 'failed-precondition', both, 'verify', { ...ask, device })
  await refuse(bench, 'failed-precondition', both, 'rescan', { ...ask, device })
  await refuse(bench, 'failed-precondition', both, 'connect', ask)
  await refuse(bench, 'failed-precondition', both, 'disconnect', ask)
  assert.equal(await succeed(bench, 'identify', { ...ask, device }), null)
  await point('own')
  await succeed(bench, 'verify', { ...ask, device })
  await succeed(bench, 'disconnect', ask)
  await requireNothing(bench, volume)
  assert.equal(await bench.storage.run('tr -d "\\0" </srv/other | wc -c'), '0', 'nothing was written')
}

async function readOnly(bench: Bench): Promise<void> {
  const volume = await exported(bench, 'protected', { protect: 1 })
  await refuse(bench, 'failed-precondition', /read-only, and the volume is published writable/, 'connect', {
    id: volume.id,
    route: volume.route(),
  })
  const ask = { id: volume.id, route: volume.route({ readonly: true }), settings: { inHostNamespaces: true } }
  const device = await succeed<SeenDevice>(bench, 'connect', ask)
  assert.equal(device.readonly, true)
  await succeed(bench, 'disconnect', ask)
  await requireNothing(bench, volume)
}

async function leftovers(bench: Bench): Promise<void> {
  const volume = await exported(bench, 'leftover')
  const ask = { id: volume.id, route: volume.route() }
  const device = await succeed<SeenDevice>(bench, 'connect', ask)
  await until(
    'the end of attempts',
    async () => (await bench.node(SESSIONS(volume.target))) === `LOGGED_IN\n${device.kname}`,
  )
  await bench.node(`iscsiadm -m node -T ${volume.target} --logout >/dev/null`)
  assert.equal(await succeed(bench, 'find', ask), null)
  await refuse(bench, 'failed-precondition', /no session any more/, 'verify', { ...ask, device })
  // A power cut in the middle of a record.
  await bench.node(
    `for record in /etc/iscsi/nodes/${volume.target}/*/default; do head -c 100 $record >/tmp/r; cat /tmp/r >$record; done`,
  )
  await succeed(bench, 'connect', ask)
  await succeed(bench, 'disconnect', ask)
  await bench.node('kill $(pgrep iscsid); while pgrep iscsid >/dev/null; do sleep 0.1; done')
  await refuse(bench, 'unavailable', /iscsid is not running/, 'connect', ask)
  await bench.node('iscsid')
  await succeed(bench, 'connect', ask)
  await succeed(bench, 'disconnect', ask)
  await requireNothing(bench, volume)
}

async function inUse(bench: Bench): Promise<void> {
  const volume = await exported(bench, 'used')
  const ask = { id: volume.id, route: volume.route() }
  const device = await succeed<SeenDevice>(bench, 'connect', ask)
  await bench.node(`mkfs.ext4 -q ${device.path}; mkdir -p /mnt/here /mnt/there; mount ${device.path} /mnt/here`)
  await refuse(bench, 'failed-precondition', /mounted at \/mnt\/here/, 'disconnect', ask)
  await bench.node('umount /mnt/here')
  for (const [type, make] of [
    ['ext4', 'true'],
    // No folder /sys/fs/<type>/<disk> tells of it.
    ['btrfs', `modprobe btrfs; mkfs.btrfs -q -f --mixed ${device.path}`],
  ]) {
    await bench.node(`${make}; rm -f /tmp/end; mkfifo /tmp/end
      unshare -m sh -c 'mount -t ${type} ${device.path} /mnt/there && touch /tmp/up && cat /tmp/end' >/dev/null 2>&1 &
      for n in $(seq 100); do [ ! -e /tmp/up ] || break; sleep 0.1; done; rm /tmp/up`)
    await refuse(bench, 'failed-precondition', /another namespace/, 'disconnect', ask)
    assert.deepEqual(await succeed(bench, 'find', ask), device)
    await bench.node('echo >/tmp/end')
  }
  await until(
    'the end of the other namespace',
    async () => !('kind' in (await bench.talk.ask({ verb: 'disconnect', ...ask }))),
  )
  await requireNothing(bench, volume)
}

async function cableCut(bench: Bench): Promise<void> {
  const volume = await exported(bench, 'cut')
  const settings = { noopIntervalSeconds: 1, noopTimeoutSeconds: 3 }
  const ask = { id: volume.id, route: volume.route({ portals: PORTALS.slice(0, 1) }), settings }
  const device = await succeed<SeenDevice>(bench, 'connect', ask)
  const troubles = () => succeed<string[]>(bench, 'troublesOf', { ...ask, device })
  const state = `( ${SESSIONS(volume.target)} ) | head -n 1`
  await bench.lab.vm('storage').cut('san0')
  try {
    await until('the loss', async () => (await bench.node(state)) === 'FAILED')
    const lost = /lost, and iscsid tries to get it back/
    await Promise.all([
      refuse(bench, 'unavailable', lost, 'disconnect', ask),
      refuse(bench, 'unavailable', lost, 'verify', { ...ask, device }),
    ])
  } finally {
    await bench.lab.vm('storage').heal('san0')
  }
  await until('the return', async () => (await troubles()).length === 0)
  await succeed(bench, 'verify', { ...ask, device })
  await bench.lab.vm('storage').cut('san0')
  try {
    await until('the end of patience', async () => (await bench.node(state)) === 'FREE')
    assert.match((await troubles()).join(), /away for too long/)
    await succeed(bench, 'disconnect', ask)
    await requireNothing(bench, volume)
  } finally {
    await bench.lab.vm('storage').heal('san0')
  }
  await succeed(bench, 'connect', ask)
  await succeed(bench, 'disconnect', ask)
}

async function withBench(t: TestContext, use: (bench: Bench) => Promise<void>): Promise<void> {
  const lab = new Lab({ topology: TOPOLOGY, attached: true, log: line => t.diagnostic(line) })
  try {
    await lab.up()
    const machine = lab.vm('node-a')
    const node = async (command: string) => {
      const { code, stdout, stderr } = await machine.exec(command)
      assert.equal(code, 0, `node-a: ${command}: ${stderr}`)
      return stdout.trim()
    }
    await node('mkdir -p /run/lock/iscsi; modprobe -a iscsi_tcp sd_mod; iscsid')
    const talk = openTalk(join(lab.share, 'talk'))
    const args = ['/lab/share/talk', `'${JSON.stringify(SETTINGS)}'`, NAME].join(' ')
    const program = machine.exec(
      `cd ${ROOT}; export PATH=${ROOT}/node_modules/node/bin:$PATH; node test/vm/initiator-node.ts ${args}`,
      { timeout: 600 },
    )
    await use({ lab, storage: openStorage(lab.vm('storage')), talk, node })
    talk.end()
    const { code, stderr } = await program
    assert.equal(code, 0, stderr)
  } finally {
    await lab.down()
  }
}

test('the initiator', async t => {
  await withBench(t, async bench => {
    await t.test('connects two volumes and takes them away one by one', () => twoVolumes(bench))
    await t.test('waits for no dead portal', () => deadPortal(bench))
    await t.test('proves itself by CHAP, one way and both, and tells nobody', () => chapSecrets(bench))
    await t.test('refuses what is not the volume, before and after it was connected', () => wrongIdentity(bench))
    await t.test('wants a volume as it was published: read-only or not', () => readOnly(bench))
    await t.test('begins anew where others have ended', () => leftovers(bench))
    await t.test('takes nothing away that is mounted, in whatever namespace', () => inUse(bench))
    await t.test('bears a cut cable, and lets go of what is lost', () => cableCut(bench))
  })
})
