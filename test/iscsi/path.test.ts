// What can happen between a node and its volume: a LUN that shows something else, cut cables, dead portals, prying eyes.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { localFiles } from '../../src/host/local-files.ts'
import { deriveChap, readKeys } from '../../src/transports/iscsi/chap.ts'
import { parseIscsiRoute } from '../../src/transports/iscsi/route.ts'
import { PATIENCE_MS, waitUntil } from '../patience.ts'
import { rounds } from '../scale.ts'
import type { Contents, Status } from './agent.ts'
import { type CallFailed, type Cluster, withCluster } from './cluster.ts'
import { PAUSE_MS } from './moving.ts'
import { type Acknowledged, requireRecords } from './records.ts'
import { NetVolume } from './volume.ts'

const NODE = 'node-a'
/** Far longer than the short cut, with all that a busy machine takes to find the way again. */
const REPLACEMENT = 40
/** Longer than a crowd takes to be staged: the attempts at the dead portal must not have ended by then. */
const LOGIN = 120

const isRefused = (error: CallFailed): boolean =>
  error.code === 'FAILED_PRECONDITION' && /serial|identity|not .* but/i.test(error.details)

/**
 * On the storage host, as somebody might by mistake: the LUN of one volume's target shows the file of another. The
 * controller holds still meanwhile: it would take the half of this for an export that it has to complete.
 */
const repoint = (of: NetVolume, to: NetVolume): string => `set -e
kill -STOP "$(cat /run/driver.pid)"; trap 'kill -CONT "$(cat /run/driver.pid)"' EXIT
C=/sys/kernel/config/target; T=$C/iscsi/iqn.2026-01.dev.ashlar:${of.id}/tpgt_1
L=$(ls -d $T/acls/*/lun_*)
find $L -maxdepth 1 -type l -delete; rmdir $L
find $T/lun/lun_0 -maxdepth 1 -type l -delete
ln -s $(ls -d $C/core/fileio_*/${to.id}) $T/lun/lun_0/x
mkdir $L; ln -s $T/lun/lun_0 $L/x`

async function showsAnother(cluster: Cluster): Promise<void> {
  const [volume, other] = [
    await new NetVolume(cluster, { name: 'repointed' }).create(),
    await new NetVolume(cluster, { name: 'bystander' }).create(),
  ]
  const sums = () => cluster.run('storage', `sha256sum <${volume.data}; sha256sum <${other.data}`)
  for (const each of [volume, other]) await each.publish(NODE)

  const untouched = await sums()
  await cluster.run('storage', repoint(volume, other))
  await assert.rejects(volume.stage(NODE), isRefused)
  assert.equal(await sums(), untouched, 'something was written')
  assert.equal(await cluster.run(NODE, 'grep -c bystander /proc/self/mountinfo || true'), '0')
  await cluster.run('storage', repoint(volume, volume))

  await volume.stage(NODE)
  await volume.publishAt(NODE)
  // A new ext4 goes on writing for a while by itself, and to whatever the LUN shows.
  await waitUntil('the end of ext4lazyinit', async () => (await cluster.run(NODE, 'pgrep ext4lazyinit || true')) === '')
  await cluster.run(NODE, `echo kept >${volume.target}/file; sync -f ${volume.target}`)
  const [bystander] = (await cluster.run('storage', `sha256sum <${other.data}`)).split('\n')
  await cluster.run('storage', repoint(volume, other))
  await assert.rejects(volume.expandOnNode(NODE), isRefused)
  const { id, staging, target } = volume
  const unpublish = () => cluster.call(NODE, 'Node', 'NodeUnpublishVolume', { volume_id: id, target_path: target })
  const unstage = () => cluster.call(NODE, 'Node', 'NodeUnstageVolume', { volume_id: id, staging_target_path: staging })
  for (const call of [unpublish, unstage])
    await assert.rejects(call(), (error: CallFailed) => error.code === 'FAILED_PRECONDITION')
  assert.equal(await cluster.run('storage', `sha256sum <${other.data}`), bystander, 'something was written')

  await cluster.run('storage', repoint(volume, volume))
  await volume.downOnNode(NODE)
  await volume.stage(NODE)
  await volume.publishAt(NODE)
  assert.equal(await cluster.run(NODE, `cat ${volume.target}/file`), 'kept')
  await volume.down(NODE)
  await other.down(NODE)
  for (const each of [volume, other]) await each.delete()
}

async function requireAll(cluster: Cluster, path: string, written: Acknowledged): Promise<void> {
  requireRecords(await cluster.agent<Contents>(NODE, { do: 'read', path }), written, path)
}

/** A filesystem of its own type, and a writer of records in it. */
interface Written {
  readonly volume: NetVolume
  readonly path: string
}

async function written(cluster: Cluster, as: 'ext4' | 'xfs'): Promise<Written> {
  const volume = await new NetVolume(cluster, { name: `cable-${as}`, as }).create()
  await volume.up(NODE)
  const path = `${volume.target}/records`
  await cluster.run(NODE, `truncate -s 2M ${path}; sync -f ${path}`)
  return { volume, path }
}

async function cutCable(t: TestContext, cluster: Cluster): Promise<void> {
  const all = [await written(cluster, 'ext4'), await written(cluster, 'xfs')]
  const cut = () => cluster.machine(NODE).cut('san0', 'san1')
  const heal = () => cluster.machine(NODE).heal('san0', 'san1')
  const each = async <T>(work: (of: Written) => Promise<T>): Promise<T[]> => await Promise.all(all.map(work))
  const named = (when: string, { volume }: Written) => `${volume.as}-${when}`
  const status = (writer: string) => cluster.agent<Status>(NODE, { do: 'status', writer })
  const someMore = async (writer: string) => {
    const { acknowledged } = await status(writer)
    await waitUntil(`more writes of ${writer}`, async () => (await status(writer)).acknowledged >= acknowledged + 20)
  }
  const stop = async (writer: string) => {
    await cluster.agent(NODE, { do: 'stop', writer })
    await waitUntil(`the end of ${writer}`, async () => (await status(writer)).ended)
    return await status(writer)
  }

  await each(of => cluster.agent(NODE, { do: 'write', writer: named('short', of), path: of.path, pauseMs: PAUSE_MS }))
  await each(of => someMore(named('short', of)))
  await cut()
  await sleep(7000)
  await heal()
  await each(of => someMore(named('short', of)))
  const last = await each(async of => {
    const { errors, lastError, longestMs, acknowledged } = await stop(named('short', of))
    assert.equal(errors, 0, lastError)
    const longest = (longestMs / 1000).toFixed(1)
    t.diagnostic(`${of.volume.as}: cut for 7 s, the longest write took ${longest} s, no error`)
    await requireAll(cluster, of.path, { acknowledged })
    assert.equal((await of.volume.condition(NODE)).abnormal, false)
    return acknowledged
  })

  const from = Math.max(...last) + 1
  await each(of =>
    cluster.agent(NODE, { do: 'write', writer: named('long', of), path: of.path, from, pauseMs: PAUSE_MS }),
  )
  await each(of => someMore(named('long', of)))
  await cut()
  await each(async of => {
    await waitUntil('an error of the writer', async () => (await status(named('long', of))).errors > 0)
    const { abnormal, message } = await of.volume.condition(NODE)
    assert.ok(abnormal)
    t.diagnostic(`${of.volume.as}: cut for longer than ${REPLACEMENT} s: ${message}`)
    await waitUntil('an event', async () =>
      new RegExp(`VolumeConditionAbnormal[^\n]*${of.volume.id}`).test(cluster.logOf(NODE)),
    )
  })
  await heal()
  const acknowledged = await each(async of => (await stop(named('long', of))).acknowledged)
  const states = 'cat /sys/class/iscsi_session/session*/state'
  await waitUntil('new sessions', async () => !/FREE|FAILED/.test(await cluster.run(NODE, states)))

  for (const [n, { volume, path }] of all.entries()) {
    const { abnormal, message } = await volume.condition(NODE)
    assert.ok(abnormal, 'a filesystem that stopped is not well')
    t.diagnostic(`${volume.as}: after the cable was back: ${message}`)
    // The pod is restarted: publishing stages the volume again.
    await cluster.insist(NODE, 'Node', 'NodeUnpublishVolume', { volume_id: volume.id, target_path: volume.target })
    await volume.publishAt(NODE)
    await requireAll(cluster, path, { acknowledged: acknowledged[n] ?? 0, from })
    await cluster.run(NODE, `echo works >${volume.target}/new`)
    assert.equal((await volume.condition(NODE)).abnormal, false)
    await volume.down(NODE)
    await volume.delete()
  }
}

async function crowd(t: TestContext, cluster: Cluster): Promise<void> {
  const count = rounds(4, 50)
  const volumes = await Promise.all(
    Array.from({ length: count }, (_, n) => new NetVolume(cluster, { name: `crowd-${n}` }).create()),
  )
  for (const each of volumes) await each.publish(NODE)
  const before = cluster.logOf(NODE).length
  await cluster.machine('storage').cut('san1')
  // Few at a time: the last one's turn comes when nearly all are done.
  await Promise.all(volumes.map(each => each.stage(NODE, rounds(PATIENCE_MS, 12 * PATIENCE_MS))))
  await cluster.machine('storage').heal('san1')
  const log = cluster.logOf(NODE).slice(before)
  for (const { id } of volumes) {
    const lines = log.split('\n').filter(line => line.includes(id))
    const staged = lines.findIndex(line => line.includes('filesystem mounted'))
    const gaveUp = lines.findIndex(line => /iscsiadm.*10\.77\.1\.1.*--login/.test(line))
    assert.ok(staged >= 0 && (gaveUp < 0 || staged < gaveUp), 'staging waited for the dead portal')
  }
  const phases: Readonly<Record<string, RegExp>> = {
    login: /iscsiadm.*10\.77\.0\.1.*--login/,
    probe: /blkid/,
    mkfs: /mkfs/,
    mount: /"mount /,
  }
  for (const [phase, pattern] of Object.entries(phases)) {
    const times = log
      .split('\n')
      .filter(line => pattern.test(line))
      .map(line => Number(/"ms":(\d+)/.exec(line)?.[1] ?? Number.NaN))
      .filter(ms => !Number.isNaN(ms))
      .sort((a, b) => a - b)
    const at = (part: number) => times[Math.min(times.length - 1, Math.floor(times.length * part))]
    t.diagnostic(
      `${count} volumes staged at once, a dead portal beside a living one: ${phase} p50 ${at(0.5)} ms, p99 ${at(0.99)} ms (${times.length})`,
    )
  }
  for (const each of volumes) await each.down(NODE)
  for (const each of volumes) await each.delete()
}

/** Collects the arguments of all processes until it is told to end. */
const SAMPLER =
  '(while :; do cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\\0" " "; sleep 0.2; done >/run/cmdlines) >/dev/null 2>&1 & echo $! >/run/sampler'

async function canary(cluster: Cluster): Promise<void> {
  const hosts = cluster.hosts()
  for (const name of hosts) await cluster.run(name, SAMPLER)
  const volume = await new NetVolume(cluster, { name: 'secret' }).create()
  await volume.publish(NODE)
  const keys = await readKeys(localFiles, cluster.keyFile)
  const initiator = (await cluster.nodeId(NODE)).replace(/^.*\//, '')
  const { chap, target } = parseIscsiRoute(volume.id, initiator, volume.route)
  const secrets = deriveChap(keys, chap, { target, initiator })
  const words = [secrets?.password.reveal(), secrets?.mutual?.password.reveal()]
  assert.ok(words.every(word => word !== undefined && word.length === 32))
  assert.ok(
    words.every(word => !JSON.stringify(volume.route).includes(word ?? '')),
    'the publish context holds a secret',
  )

  // Not as an argument of grep, where they would be found.
  writeFileSync(join(cluster.lab.share, 'words'), `${words.join('\n')}\n`)
  const list = '/lab/share/words'
  await volume.stage(NODE)
  const record = await cluster.run(NODE, `grep -rlf ${list} /etc/iscsi | xargs stat --format '%a %U' | sort -u`)
  assert.equal(record, '600 root', 'the secret is where open-iscsi needs it, and nobody else can read it')
  await volume.publishAt(NODE)
  await volume.down(NODE)
  await volume.delete()
  for (const name of hosts) {
    await cluster.run(name, 'kill "$(cat /run/sampler)"')
    const sampled = await cluster.run(name, 'cat /run/cmdlines')
    assert.match(sampled, /ashlar|node/)
    for (const word of [...words, cluster.key]) {
      assert.ok(!sampled.includes(word ?? ''), `${name}: a secret is in the arguments of a process`)
      assert.ok(!cluster.logOf(name).includes(word ?? ''), `${name}: a secret is in the log`)
    }
    assert.equal(await cluster.run(name, `dmesg | grep -cf ${list} || true`), '0')
  }
  assert.equal(await cluster.run(NODE, `grep -rlf ${list} /etc/iscsi || true`), '', 'a secret outlives its session')
}

test('a node, its volumes, and what comes between them', async t => {
  const settings = {
    target: 'lio',
    chap: 'mutual',
    nodes: [NODE],
    // An emulated processor that does sixteen things at once does each of them too slowly for any limit of time.
    maxConcurrentCalls: 4,
    portals: ['10.77.0.1:3260', '10.77.1.1:3260'],
    iscsi: { replacementTimeoutSeconds: REPLACEMENT, loginTimeoutSeconds: LOGIN },
  } as const
  await withCluster(settings, async cluster => {
    await t.test('secrets are nowhere but where they are needed', () => canary(cluster))
    await t.test('a LUN that shows another file is neither staged, grown nor unstaged', () => showsAnother(cluster))
    await t.test('many volumes at once, one of two portals dead', st => crowd(st, cluster))
    await t.test('a cable is cut, for shorter and longer than I/O waits', st => cutCable(st, cluster))
    await t.test('leaves nothing, and doctor is content', () => cluster.requireClean())
  })
})
