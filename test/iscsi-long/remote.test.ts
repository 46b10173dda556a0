// The controller on a machine of its own: it reaches the storage host, its pool and its LIO with ssh.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { type Cluster, withCluster } from '../iscsi/cluster.ts'
import { A, begin, statusOf, stop } from '../iscsi/moving.ts'
import { NetVolume } from '../iscsi/volume.ts'
import { waitUntil } from '../patience.ts'

async function live(cluster: Cluster): Promise<void> {
  const volume = await new NetVolume(cluster, { name: 'far' }).create()
  await volume.up(A)
  const file = `${volume.target}/data`
  const sum = () => cluster.run(A, `sha256sum <${file}`)
  await cluster.run(A, `dd if=/dev/urandom of=${file} bs=1M count=8 conv=fsync status=none`)
  const before = await sum()
  await volume.expand(2 * volume.size)
  assert.equal(await volume.expandOnNode(A), 2 * volume.size)
  await volume.down(A)
  await volume.up(A)
  assert.equal(await sum(), before)
  await volume.down(A)
  await volume.delete()
}

/** The controller goes on running, and exports again by itself when it reaches the storage host. */
async function reboot(t: TestContext, cluster: Cluster): Promise<void> {
  const { volume, writer } = await begin(cluster, 'far-writer')
  await cluster.machine('storage').crash()
  const { acknowledged } = await statusOf(cluster, A, writer)
  const started = performance.now()
  await cluster.boot('storage')
  await waitUntil('more writes', async () => (await statusOf(cluster, A, writer)).acknowledged > acknowledged + 20)
  t.diagnostic(`the writer went on ${((performance.now() - started) / 1000).toFixed(1)} s after the storage host died`)
  const { errors, lastError } = await stop(cluster, A, writer)
  assert.equal(errors, 0, lastError)
  await volume.down(A)
  await volume.delete()
}

test('the controller is on another machine than the storage', async t => {
  // I/O waits for longer than a storage host takes to boot, on however slow a machine.
  const iscsi = { replacementTimeoutSeconds: 900 } as const
  await withCluster({ target: 'lio', chap: 'one-way', nodes: [A], remote: true, iscsi }, async cluster => {
    await t.test('a volume lives', () => live(cluster))
    await t.test('the storage host dies and comes back under a writer', st => reboot(st, cluster))
    await t.test('leaves nothing, and doctor is content', () => cluster.requireClean())
  })
})
