// Whole lives of volumes over iSCSI: controller on one host, node on another, with both targets; and csi-sanity between them.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isLong } from '../scale.ts'
import { type CallFailed, type Cluster, withCluster } from './cluster.ts'
import { runClusterSanity } from './sanity.ts'
import { NetVolume } from './volume.ts'

const NODE = 'node-a'

/** Data that was written comes back after everything was taken down and put up again. */
async function live(cluster: Cluster, as: 'ext4' | 'xfs' | 'block', growsOnline: boolean): Promise<void> {
  const volume = await new NetVolume(cluster, { name: `life-${as}`, as }).create()
  await volume.up(NODE)
  const { target, size } = volume
  const write =
    as === 'block'
      ? `dd if=/dev/urandom of=${target} bs=1M count=8 oflag=direct status=none`
      : `dd if=/dev/urandom of=${target}/data bs=1M count=8 conv=fsync status=none`
  const sum =
    as === 'block' ? `dd if=${target} bs=1M count=8 iflag=direct status=none | sha256sum` : `sha256sum <${target}/data`
  await cluster.run(NODE, write)
  const before = await cluster.run(NODE, sum)
  assert.equal((await volume.condition(NODE)).abnormal, false)

  if (growsOnline) {
    await volume.expand(2 * size)
    assert.equal(await volume.expandOnNode(NODE), 2 * size)
  } else {
    await assert.rejects(
      volume.expand(2 * size),
      (error: CallFailed) => error.code === 'FAILED_PRECONDITION' && /tgt cannot change/.test(error.details),
    )
    await volume.down(NODE)
    await volume.expand(2 * size)
    await volume.up(NODE)
  }
  const seen = as === 'block' ? `blockdev --getsize64 ${target}` : `df --output=size -B1 ${target} | tail -1`
  assert.ok(Number(await cluster.run(NODE, seen)) > 1.7 * size, 'the growth arrived')
  assert.equal(await cluster.run(NODE, sum), before)

  await volume.down(NODE)
  await volume.publish(NODE, { readonly: true })
  await volume.stage(NODE)
  await volume.publishAt(NODE)
  assert.equal(await cluster.run(NODE, sum), before)
  // Not by a mount option alone: the target itself refuses writes.
  const session = `$(dirname $(grep -l ${volume.id} /sys/class/iscsi_session/session*/targetname))`
  const disk = await cluster.run(NODE, `cd ${session}/device/target*/*:*/block/ && ls`)
  assert.equal(await cluster.run(NODE, `cat /sys/block/${disk}/ro`), '1')
  const force = await cluster
    .machine(NODE)
    .exec(`blockdev --setrw /dev/${disk}; dd if=/dev/zero of=/dev/${disk} bs=4k count=1 oflag=direct`)
  assert.notEqual(force.code, 0, 'a read-only publish can be written to')
  assert.equal(await cluster.run(NODE, sum), before)
  await volume.down(NODE)
  await volume.delete()
}

async function livesOf(t: TestContext, cluster: Cluster, growsOnline: boolean): Promise<void> {
  for (const as of ['ext4', 'xfs', 'block'] as const) await t.test(as, () => live(cluster, as, growsOnline))
  await t.test('leaves nothing, and doctor is content', () => cluster.requireClean())
}

/** Every spec of csi-sanity is a test of its own. */
async function sanity(t: TestContext, cluster: Cluster, accessType: 'mount' | 'block'): Promise<void> {
  const { results, canary } = await runClusterSanity(cluster, {
    accessType,
    ...(accessType === 'mount' && { fsType: 'ext4' }),
  })
  const failed = results.filter(({ status }) => status === 'failed')
  const count = (status: string) => results.filter(each => each.status === status).length
  t.diagnostic(
    `csi-sanity ${accessType}: ${count('passed')} passed, ${failed.length} failed, ${count('skipped')} skipped as listed`,
  )
  assert.deepEqual(
    failed.map(({ name, detail }) => `${name}: ${detail}`),
    [],
  )
  assert.ok(count('passed') > 50)
  assert.ok(!cluster.logs().includes(canary), 'a log holds a secret')
}

test('over LIO, with mutual CHAP', async t => {
  await withCluster({ target: 'lio', chap: 'mutual', nodes: [NODE], maxVolumesPerNode: 3 }, async cluster => {
    await livesOf(t, cluster, true)
    await t.test('csi-sanity for ext4', st => sanity(st, cluster, 'mount'))
    await t.test('leaves nothing after csi-sanity', () => cluster.requireClean())
  })
})

test('over tgt', async t => {
  await withCluster({ target: 'tgt', nodes: [NODE], maxVolumesPerNode: 3 }, async cluster => {
    await livesOf(t, cluster, false)
    if (!isLong) return
    await t.test('csi-sanity for block', st => sanity(st, cluster, 'block'))
    await t.test('leaves nothing after csi-sanity', () => cluster.requireClean())
  })
})
