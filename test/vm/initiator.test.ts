// The node's half of iSCSI on a real kernel: open-iscsi on one VM, LIO on another, and cables that can be cut.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { localHost } from '../../src/host/local.ts'
import type { IscsiSettings } from '../../src/schema/shapes/config.ts'
import { deriveChap, readKeys } from '../../src/transports/iscsi/chap.ts'
import { targetName } from '../../src/transports/iscsi/names.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import { waitUntil } from '../patience.ts'
import {
  type Bench,
  exported,
  NAME,
  PORTALS,
  refuse,
  requireNothing,
  SESSIONS,
  SIZE,
  succeed,
  succeedAtLast,
  withBench,
} from './initiator-bench.ts'
import type { SeenDevice } from './initiator-talk.ts'
import { unitNumbers } from './unit-numbers.ts'

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
    await waitUntil('one session', async () => (await bench.node(SESSIONS(target))) === `LOGGED_IN\n${kname}`)
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
  // Both: between the login there and the logout that follows no iscsiadm runs, and there are two sessions.
  await waitUntil(
    'the end of the attempt',
    async () =>
      (await bench.node(attempts)) === '' &&
      (await bench.node(SESSIONS(volume.target))) === `LOGGED_IN\n${device.kname}`,
  )
  await succeed(bench, 'disconnect', patient)
  await requireNothing(bench, volume)
  await bench.lab.vm('storage').cut('san0', 'san1')
  try {
    const words = /10\.77\.\d\.1:3260: it cannot be reached; 10\.77\.\d\.1:3260: it cannot be reached/
    // Shorter than it takes the kernel to call the address unreachable, which iscsid has another code for.
    const brief = { id: volume.id, route: volume.route(), settings: { loginTimeoutSeconds: 5 } }
    await refuse(bench, 'unavailable', words, 'connect', brief)
  } finally {
    await bench.lab.vm('storage').heal('san0', 'san1')
  }
  await succeed(bench, 'disconnect', { id: volume.id })
  await requireNothing(bench, volume)
}

async function chapSecrets(bench: Bench): Promise<void> {
  const folder = join(bench.lab.share, 'keys')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'chap.key'), `${'k'.repeat(40)}\n`)
  const keys = await readKeys(localHost().files, join(folder, 'chap.key'))
  const [key = ''] = keys.keys()
  const settings = (chap: IscsiSettings['chap']) => ({ chap, chapKeyFile: '/lab/share/keys/chap.key' })
  for (const mode of ['one-way', 'mutual'] as const) {
    const name = mode.replace('-', '')
    const id = encodeVolumeId('p', name)
    const route = { mode, nonce: 'c0ffee11'.repeat(4), key }
    const chap = deriveChap(keys, route, { target: targetName(id), initiator: NAME })
    assert.ok(chap)
    const volume = await exported(bench, name, { chap })
    const ask = { id, route: volume.route({ chap: route }), settings: settings(mode) }
    await succeed(bench, 'connect', ask)
    assert.equal(await bench.node(`stat -c %a /etc/iscsi/nodes/${volume.target}/*/default | sort -u`), '600')
    await succeed(bench, 'disconnect', ask)
    await refuse(bench, 'unavailable', /10\.77\.0\.1:3260: the target does not admit this initiator/, 'connect', {
      ...ask,
      route: volume.route(),
      settings: settings('none'),
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
  await waitUntil(
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
  await waitUntil(
    'the end of the other namespace',
    async () => !('kind' in (await bench.ask({ verb: 'disconnect', ...ask }))),
  )
  await requireNothing(bench, volume)
}

async function cableCut(bench: Bench): Promise<void> {
  const volume = await exported(bench, 'cut')
  const ask = { id: volume.id, route: volume.route({ portals: PORTALS.slice(0, 1) }) }
  await loseAndFind(bench, volume, ask)
  await giveUp(bench, volume, ask)
}

type Asked = { readonly id: string; readonly route: Readonly<Record<string, string>> }

/** To see soon that a connection is dead. */
const NOOP = { noopIntervalSeconds: 1, noopTimeoutSeconds: 3 }
const firstState = (target: string) => `( ${SESSIONS(target)} ) | head -n 1`

/** I/O waits for longer than all of this takes: the session is lost, and never given up. */
async function loseAndFind(bench: Bench, { target }: { target: string }, asked: Asked): Promise<void> {
  const ask = { ...asked, settings: { ...NOOP, replacementTimeoutSeconds: 300 } }
  const device = await succeed<SeenDevice>(bench, 'connect', ask)
  await bench.lab.vm('storage').cut('san0')
  try {
    await waitUntil('the loss', async () => (await bench.node(firstState(target))) === 'FAILED')
    const lost = /lost, and iscsid tries to get it back/
    await Promise.all([
      refuse(bench, 'unavailable', lost, 'disconnect', ask),
      refuse(bench, 'unavailable', lost, 'verify', { ...ask, device }),
    ])
  } finally {
    await bench.lab.vm('storage').heal('san0')
  }
  const troubles = () => succeed<string[]>(bench, 'troublesOf', { ...ask, device })
  await waitUntil('the return', async () => (await troubles()).length === 0)
  await succeedAtLast(bench, 'verify', { ...ask, device })
  await succeedAtLast(bench, 'disconnect', ask)
}

async function giveUp(bench: Bench, volume: { target: string }, asked: Asked): Promise<void> {
  const ask = { ...asked, settings: NOOP }
  const device = await succeed<SeenDevice>(bench, 'connect', ask)
  await bench.lab.vm('storage').cut('san0')
  try {
    await waitUntil('the end of patience', async () => (await bench.node(firstState(volume.target))) === 'FREE')
    const troubles = await succeed<string[]>(bench, 'troublesOf', { ...ask, device })
    assert.match(troubles.join(), /away for too long/)
    await succeed(bench, 'disconnect', ask)
    await requireNothing(bench, volume)
  } finally {
    await bench.lab.vm('storage').heal('san0')
  }
  await succeedAtLast(bench, 'connect', ask)
  await succeedAtLast(bench, 'disconnect', ask)
}

test('the initiator', async t => {
  await withBench(async bench => {
    await t.test('connects two volumes and takes them away one by one', () => twoVolumes(bench))
    await t.test('waits for no dead portal', () => deadPortal(bench))
    await t.test('proves itself by CHAP, one way and both, and tells nobody', () => chapSecrets(bench))
    await t.test('refuses what is not the volume, before and after it was connected', () => wrongIdentity(bench))
    await t.test('wants a volume as it was published: read-only or not', () => readOnly(bench))
    await t.test('begins anew where others have ended', () => leftovers(bench))
    await t.test('takes nothing away that is mounted, in whatever namespace', () => inUse(bench))
    await t.test('makes disks of the units of all numbers that are drawn', () => unitNumbers(bench))
    await t.test('bears a cut cable, and lets go of what is lost', () => cableCut(bench))
  })
})
