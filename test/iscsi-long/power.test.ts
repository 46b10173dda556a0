// Power cuts: of the storage host under load, and of a node, whose volume goes on elsewhere.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import pLimit from 'p-limit'
import type { Contents } from '../iscsi/agent.ts'
import { type Cluster, type NodeName, withCluster } from '../iscsi/cluster.ts'
import { A, B, statusOf, stop } from '../iscsi/moving.ts'
import { requireRecords } from '../iscsi/records.ts'
import { NetVolume } from '../iscsi/volume.ts'
import { waitUntil } from '../patience.ts'
import { rounds, turns } from '../scale.ts'

/** An emulated processor that does more at once finishes none of it before its caller has gone. */
const FEW = pLimit(4)

/** Starts a writer of whole, synced records on a published filesystem, and waits until it has written some. */
async function startWriter(
  cluster: Cluster,
  node: NodeName,
  writer: string,
  volume: NetVolume,
  { from = 1, pauseMs = 20 } = {},
): Promise<string> {
  const path = `${volume.target}/records`
  await cluster.run(node, `test -e ${path} || { truncate -s 2M ${path}; sync -f ${path}; }`)
  await cluster.agent(node, { do: 'write', writer, path, from, pauseMs })
  await waitUntil('the first writes', async () => (await statusOf(cluster, node, writer)).acknowledged >= from + 5)
  return path
}

async function storageDies(t: TestContext, cluster: Cluster): Promise<void> {
  const [exported, used] = [rounds(8, 100), rounds(2, 50)]
  const volumes = await FEW.map(Array.from({ length: exported }), async (_, n) => {
    const volume = await new NetVolume(cluster, { name: `power-${n}` }).create()
    return await volume.publish(A)
  })
  const inUse = volumes.slice(0, used)
  await FEW.map(inUse, async each => await (await each.stage(A)).publishAt(A))
  for (let round = 0; round < turns(1, 20); round += 1) {
    const writers = inUse.map((volume, n) => ({ volume, writer: `power-${round}-${n}` }))
    const from = round * 1_000_000 + 1
    // Fifty that write as fast as they can keep emulated processors from all else, for minutes of each round.
    const pauseMs = rounds(20, 250)
    await FEW.map(writers, ({ volume, writer }) => startWriter(cluster, A, writer, volume, { from, pauseMs }))
    await cluster.machine('storage').crash()
    const before = await Promise.all(writers.map(({ writer }) => statusOf(cluster, A, writer)))
    const cutAt = performance.now()
    await cluster.boot('storage')
    const bootedAt = performance.now()
    await cluster.startDriver('storage')
    // Some seconds each, of a processor that is emulated and has all the nodes' sessions knock at it.
    await waitUntil('every export', async () => (await exportsOf(cluster)) === exported, 4)
    const exportedAt = performance.now()
    await FEW.map(writers, ({ writer }, n) =>
      waitUntil(
        `writes of ${writer}`,
        async () => (await statusOf(cluster, A, writer)).acknowledged > (before[n]?.acknowledged ?? 0) + 3,
      ),
    )
    const took = [bootedAt - cutAt, exportedAt - bootedAt, performance.now() - exportedAt].map(ms =>
      (ms / 1000).toFixed(1),
    )
    t.diagnostic(
      `round ${round}: booted after ${took[0]} s, ${exported} exports after another ${took[1]} s, all ${used} writers went on after another ${took[2]} s`,
    )
    await FEW.map(writers, ({ volume, writer }) => requireWritten(cluster, writer, volume, from))
  }
  await FEW.map(inUse, each => each.downOnNode(A))
  await FEW.map(volumes, async each => {
    await each.unpublish(A)
    await each.delete()
  })
}

/** Ends a writer that met no error, and finds all that it was told was written. */
async function requireWritten(cluster: Cluster, writer: string, volume: NetVolume, from: number): Promise<void> {
  const { acknowledged, errors, lastError } = await stop(cluster, A, writer)
  assert.equal(errors, 0, lastError)
  const found = await cluster.agent<Contents>(A, { do: 'read', path: `${volume.target}/records` })
  requireRecords(found, { acknowledged, from }, volume.name)
}

/** Not at once: to count a hundred costs the host as much as to make one of them. */
async function exportsOf(cluster: Cluster): Promise<number> {
  return Number(
    await cluster.run(
      'storage',
      'sleep 5; cat /sys/kernel/config/target/iscsi/iqn.2026-01.dev.ashlar:*/tpgt_1/enable 2>/dev/null | grep -c 1 || true',
    ),
  )
}

async function nodeDies(cluster: Cluster, round: number, as: 'ext4' | 'xfs'): Promise<void> {
  const volume = await new NetVolume(cluster, { name: `moved-${round}`, as }).create()
  const nodeA = await cluster.nodeId(A)
  await volume.up(A)
  const writer = `moved-${round}`
  await startWriter(cluster, A, writer, volume)
  const { acknowledged } = await statusOf(cluster, A, writer)
  await cluster.machine(A).crash()

  await volume.unpublish(A, nodeA)
  await volume.up(B)
  const found = await cluster.agent<Contents>(B, { do: 'read', path: `${volume.target}/records` })
  requireRecords(found, { acknowledged }, volume.name)
  await cluster.run(B, `echo works >${volume.target}/new; sync -f ${volume.target}`)

  await cluster.boot(A)
  await cluster.startDriver(A)
  // kubelet takes away what it finds of a pod that is not its any more.
  await volume.downOnNode(A)
  assert.equal(await cluster.run(B, `cat ${volume.target}/new`), 'works')
  await volume.down(B)
  await volume.delete()
}

// What is not flushed is lost with the power, as with a real disk. I/O waits for longer than a storage host takes to boot.
const SETTINGS = {
  target: 'lio',
  disk: { size: '16G', volatile: true },
  iscsi: { replacementTimeoutSeconds: 900 },
} as const

test('the power of the storage host is cut', async t => {
  await withCluster({ ...SETTINGS, nodes: [A] }, async cluster => {
    await t.test('under load, and comes back: I/O goes on, nothing acknowledged is lost', st =>
      storageDies(st, cluster),
    )
    await t.test('leaves nothing, and doctor is content', () => cluster.requireClean())
  })
})

test('the power of a node is cut', async t => {
  await withCluster(SETTINGS, async cluster => {
    await t.test('its volume goes on elsewhere, with everything that was acknowledged', async () => {
      for (let round = 0; round < turns(2, 20); round += 1)
        await nodeDies(cluster, round, round % 2 === 0 ? 'ext4' : 'xfs')
    })
    await t.test('leaves nothing, and doctor is content', () => cluster.requireClean())
  })
})
