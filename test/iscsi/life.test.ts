// Whole lives of volumes over iSCSI: controller on one host, node on another, with both targets; and csi-sanity between them.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { isLong, rounds } from '../scale.ts'
import { requireChanges, requireTuned } from './changes.ts'
import { type CallFailed, type Cluster, withCluster } from './cluster.ts'
import { requireOrder } from './groups.ts'
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

/** Copies of a volume in use, beside it on the same node: each has the bytes of its instant, and the larger one has grown. */
async function copies(cluster: Cluster, as: 'ext4' | 'xfs'): Promise<void> {
  const source = await new NetVolume(cluster, { name: 'source', as }).create()
  await source.up(NODE)
  const write = (text: string) => cluster.run(NODE, `echo ${text} >${source.target}/file; sync -f ${source.target}`)
  await write('first')
  const snapshot_id = await source.snapshot('first')
  await write('second')
  const clone = await new NetVolume(cluster, { name: 'clone', as }).create({ volume: { volume_id: source.id } })
  await write('third')
  const restored = new NetVolume(cluster, { name: 'restored', as, size: 2 * source.size })
  await restored.create({ snapshot: { snapshot_id } })
  for (const copy of [clone, restored]) await copy.up(NODE)
  const contents = [source, clone, restored].map(({ target }) => `${target}/file`).join(' ')
  assert.equal(await cluster.run(NODE, `cat ${contents}`), 'third\nsecond\nfirst')
  const size = await cluster.run(NODE, `df --output=size -B1 ${restored.target} | tail -1`)
  assert.ok(Number(size) > 1.7 * source.size, 'the copy has grown')
  await source.down(NODE)
  await source.delete()
  await cluster.insist('storage', 'Controller', 'DeleteSnapshot', { snapshot_id })
  assert.equal(await cluster.run(NODE, `cat ${clone.target}/file ${restored.target}/file`), 'second\nfirst')
  for (const copy of [clone, restored]) {
    await copy.down(NODE)
    await copy.delete()
  }
}

async function groups(t: TestContext, cluster: Cluster): Promise<void> {
  const cuts = rounds(1, 20)
  const records = await requireOrder(cluster, NODE, cuts)
  t.diagnostic(`${cuts} group snapshots under ${records} records, none without the one before it`)
}

type As = 'ext4' | 'xfs' | 'block'
const ALL: readonly As[] = ['ext4', 'xfs', 'block']

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

/** What an ordinary run leaves to the long one, group snapshots and csi-sanity above all, takes two hours on emulated processors. */
test('volumes live', async t => {
  await withCluster({ target: 'lio', chap: 'mutual', nodes: [NODE], maxVolumesPerNode: 3 }, async cluster => {
    await t.test('over LIO, with mutual CHAP', async st => {
      for (const as of ALL) await st.test(as, () => live(cluster, as, true))
      await st.test('a snapshot and a clone of xfs in use, beside their source', () => copies(cluster, 'xfs'))
      await st.test('a group of two in use', each => groups(each, cluster))
      await st.test('read-ahead and discards are as the volume says', () => requireTuned(cluster, NODE))
      await st.test('which blocks a node wrote is known, and no other', () => requireChanges(cluster, NODE))
      if (isLong) await st.test('csi-sanity for ext4', each => sanity(each, cluster, 'mount'))
      await st.test('leaves nothing, and doctor is content', () => cluster.requireClean())
    })
    await cluster.become({ target: 'tgt', chap: 'none' })
    await t.test('over tgt', async st => {
      for (const as of rounds(['ext4'] as const, ALL)) await st.test(as, () => live(cluster, as, false))
      if (isLong) {
        await st.test('a snapshot and a clone of ext4 in use, beside their source', () => copies(cluster, 'ext4'))
        await st.test('a group of two in use', each => groups(each, cluster))
        await st.test('csi-sanity for block', each => sanity(each, cluster, 'block'))
      }
      await st.test('leaves nothing, and doctor is content', () => cluster.requireClean())
    })
  })
})
