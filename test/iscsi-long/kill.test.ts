// Drivers killed at random instants while volumes live and die: every life comes to its end, and nothing is left.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { diceOf, seedOf } from '../chaos/real/dice.ts'
import { type Cluster, type HostName, NODES, withCluster } from '../iscsi/cluster.ts'
import { NetVolume } from '../iscsi/volume.ts'
import { turns } from '../scale.ts'

/** Every call is repeated until it is answered for good: see Cluster.insist. */
async function life(cluster: Cluster, lane: number, turn: number): Promise<void> {
  const node = NODES[(lane + turn) % NODES.length] ?? 'node-a'
  const as = (['ext4', 'xfs', 'block'] as const)[turn % 3] ?? 'ext4'
  const volume = new NetVolume(cluster, { name: `life-${lane}-${turn}`, as })
  await volume.create()
  await volume.publish(node)
  await volume.stage(node)
  await volume.publishAt(node)
  const path = as === 'block' ? volume.target : `${volume.target}/file`
  const flags = as === 'block' ? 'oflag=direct' : 'conv=fsync'
  const sum = `dd if=${path} bs=64k count=4 ${as === 'block' ? 'iflag=direct' : ''} status=none | sha256sum`
  const before = await cluster.run(node, `dd if=/dev/urandom of=${path} bs=64k count=4 ${flags} status=none; ${sum}`)
  await volume.downOnNode(node)
  await volume.stage(node)
  await volume.publishAt(node)
  assert.equal(await cluster.run(node, sum), before)
  await volume.downOnNode(node)
  await volume.unpublish(node)
  await volume.delete()
}

async function killUnderLoad(t: TestContext, cluster: Cluster): Promise<void> {
  const seed = seedOf()
  t.diagnostic(`ASHLAR_TEST_SEED=${seed}`)
  const dice = diceOf(seed, 'kills')
  const [lanes, lives] = [3, turns(1, 30)]
  let kills = 0
  const ended = new AbortController()
  const killer = async () => {
    while (!ended.signal.aborted) {
      await sleep(dice.between(2000, 8000))
      const name: HostName = dice.pick(['storage', ...NODES])
      await cluster.killDriver(name)
      kills += 1
      await cluster.startDriver(name)
    }
  }
  const killing = killer()
  try {
    await Promise.all(
      Array.from({ length: lanes }, async (_, lane) => {
        for (let turn = 0; turn < lives; turn += 1) await life(cluster, lane, turn)
      }),
    )
  } finally {
    ended.abort()
    await killing
  }
  t.diagnostic(`${lanes * lives} lives, ${kills} kills`)
  assert.ok(kills > 0)
}

test('drivers are killed under load', async t => {
  await withCluster({ target: 'lio', chap: 'one-way' }, async cluster => {
    await t.test('every life comes to its end', st => killUnderLoad(st, cluster))
    await t.test('nothing is left, and doctor is content on all hosts', () => cluster.requireClean())
  })
})
