// Layout per-node: one session for all volumes of a node; each of them comes, goes, moves and comes back by itself.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '../patience.ts'
import { isLong } from '../scale.ts'
import { type Cluster, withCluster } from './cluster.ts'
import { A, B, begin, type Moving, moveToB, requireFenced, statusOf, stop } from './moving.ts'
import { NetVolume } from './volume.ts'

/** How long node-a goes on trying to write to what is not its any more. */
const TRIES_MS = 3000

/** Names of the sessions of node-a: one that was made anew has another number. */
const sessionsOf = (cluster: Cluster) => cluster.run(A, 'ls /sys/class/iscsi_session')

/** Fails unless the writer got something through since `before`, and never an error. */
async function requireGoingOn(cluster: Cluster, { writer }: Moving, before: number): Promise<void> {
  await waitUntil(`more writes of ${writer}`, async () => {
    const { acknowledged, errors, lastError } = await statusOf(cluster, A, writer)
    assert.equal(errors, 0, lastError)
    return acknowledged > before + 20
  })
}

const writtenBy = async (cluster: Cluster, { writer }: Moving) => (await statusOf(cluster, A, writer)).acknowledged

async function live(cluster: Cluster, bystander: Moving): Promise<void> {
  const session = await sessionsOf(cluster)
  assert.equal(session.split('\n').length, 1)
  const [files, raw] = await Promise.all([
    new NetVolume(cluster, { name: 'files', as: 'ext4' }).create(),
    new NetVolume(cluster, { name: 'raw', as: 'block' }).create(),
  ])
  await Promise.all([files.up(A), raw.up(A)])
  assert.equal(files.route['target'], raw.route['target'])
  const data = { [files.name]: `${files.target}/data`, [raw.name]: raw.target }
  const sum = (volume: NetVolume) =>
    cluster.run(A, `dd if=${data[volume.name]} bs=1M count=8 iflag=direct status=none | sha256sum`)
  for (const each of [files, raw])
    await cluster.run(A, `dd if=/dev/urandom of=${data[each.name]} bs=1M count=8 oflag=direct conv=fsync status=none`)
  const before = [await sum(files), await sum(raw)]
  for (const each of [files, raw]) {
    assert.equal((await each.condition(A)).abnormal, false)
    await each.expand(2 * each.size)
    assert.equal(await each.expandOnNode(A), 2 * each.size)
  }
  const written = await writtenBy(cluster, bystander)
  await Promise.all([files.down(A), raw.down(A)])
  await requireGoingOn(cluster, bystander, written)
  await raw.publish(A, { readonly: true })
  await raw.stage(A)
  await raw.publishAt(A)
  await files.up(A)
  assert.deepEqual([await sum(files), await sum(raw)], before)
  // Not by a mount option alone: the target itself refuses writes, of this one volume.
  const disk = await cluster.run(A, `cd /sys/class/iscsi_session/*/device/target*/*:${raw.route['lun_id']}/block && ls`)
  const force = await cluster
    .machine(A)
    .exec(`blockdev --setrw /dev/${disk}; dd if=/dev/zero of=/dev/${disk} bs=4k count=1 oflag=direct`)
  assert.notEqual(force.code, 0, 'a read-only publish can be written to')
  await Promise.all([files.down(A), raw.down(A)])
  await Promise.all([files.delete(), raw.delete()])
  assert.equal(await sessionsOf(cluster), session)
  const reports = await Promise.all([cluster.doctor('storage'), cluster.doctor(A)])
  for (const { code, report } of reports) assert.equal(code, 0, report)
}

/** A volume moves while its writer goes on, and so does that of another volume in the same session. */
async function fence(t: TestContext, cluster: Cluster, bystander: Moving, isCut: boolean): Promise<void> {
  const session = await sessionsOf(cluster)
  const nodeA = await cluster.nodeId(A)
  const moving = await begin(cluster, `moving-${isCut ? 'cut' : 'alive'}`)
  if (isCut) await cluster.machine(A).cut('san0')
  const written = await writtenBy(cluster, bystander)
  const started = performance.now()
  const first = await moveToB(cluster, moving, nodeA)
  t.diagnostic(`moved in ${((performance.now() - started) / 1000).toFixed(1)} s`)
  if (isCut) await cluster.machine(A).heal('san0')
  await requireGoingOn(cluster, bystander, written)
  await sleep(TRIES_MS)
  t.diagnostic(`${await requireFenced(cluster, moving, first)} writes of node-a acknowledged, none after node-b looked`)
  const { volume } = moving
  await volume.downOnNode(A)
  await volume.down(B)
  await volume.delete()
  await requireGoingOn(cluster, bystander, await writtenBy(cluster, bystander))
  assert.equal(await sessionsOf(cluster), session)
}

/** The node logs in again only when all of its volumes are there: no writer sees an error. */
async function reboot(t: TestContext, cluster: Cluster, bystander: Moving): Promise<void> {
  const others = [await begin(cluster, 'reboot-1'), await begin(cluster, 'reboot-2')]
  await cluster.machine('storage').crash()
  const written = await Promise.all([bystander, ...others].map(each => writtenBy(cluster, each)))
  const started = performance.now()
  await cluster.boot('storage')
  await cluster.startDriver('storage')
  for (const [n, each] of [bystander, ...others].entries()) await requireGoingOn(cluster, each, written[n] ?? 0)
  t.diagnostic(
    `three writers went on ${((performance.now() - started) / 1000).toFixed(1)} s after the storage host died`,
  )
  for (const { volume, writer } of others) {
    assert.equal((await stop(cluster, A, writer)).errors, 0)
    await volume.down(A)
    await volume.delete()
  }
}

test('one target for each node, with mutual CHAP', async t => {
  // I/O waits for longer than a storage host takes to boot, on however slow a machine.
  const iscsi = { layout: 'per-node', replacementTimeoutSeconds: 900 } as const
  await withCluster({ target: 'lio', chap: 'mutual', iscsi }, async cluster => {
    const bystander = await begin(cluster, 'bystander')
    await t.test('volumes live beside one that is written to', () => live(cluster, bystander))
    if (isLong) await t.test('a writer is fenced, alive', st => fence(st, cluster, bystander, false))
    await t.test('a writer is fenced, its cable cut and healed', st => fence(st, cluster, bystander, true))
    await t.test('the storage host dies and comes back', st => reboot(st, cluster, bystander))
    const { errors, lastError } = await stop(cluster, A, bystander.writer)
    assert.equal(errors, 0, lastError)
    await bystander.volume.down(A)
    await bystander.volume.delete()
    await t.test('leaves nothing, and doctor is content', () => cluster.requireClean())
  })
})
