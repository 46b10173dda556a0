// Power cuts: of the storage host under load, and of a node, whose volume goes on elsewhere.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import pLimit from 'p-limit'
import type { Contents, Question, Status } from '../iscsi/agent.ts'
import { type Cluster, type NodeName, withCluster } from '../iscsi/cluster.ts'
import { A, B } from '../iscsi/moving.ts'
import { requireRecords } from '../iscsi/records.ts'
import { NetVolume } from '../iscsi/volume.ts'
import { waitUntil } from '../patience.ts'
import { rounds, turns } from '../scale.ts'

/** An emulated processor that does more at once finishes none of it before its caller has gone. */
const FEW = pLimit(4)

interface Writing {
  readonly writer: string
  readonly volume: NetVolume
  readonly path: string
  /** Number of its first record. */
  readonly from: number
}

/** Writers of whole, synced records on filesystems that are published on a node. */
class Writers {
  readonly #cluster: Cluster
  readonly #node: NodeName
  readonly #all: readonly Writing[]

  constructor(cluster: Cluster, node: NodeName, volumes: readonly NetVolume[], round = 0) {
    this.#cluster = cluster
    this.#node = node
    this.#all = volumes.map(volume => ({
      writer: `${volume.name}-${round}`,
      volume,
      path: `${volume.target}/records`,
      from: round * 1_000_000 + 1,
    }))
  }

  /** Answers when each has written some. */
  async start(pauseMs: number): Promise<void> {
    const paths = this.#all.map(({ path }) => path).join(' ')
    await this.#cluster.run(
      this.#node,
      `for each in ${paths}; do test -e $each || { truncate -s 2M $each; sync -f $each; }; done`,
    )
    await this.#ask(({ writer, path, from }) => ({ do: 'write', writer, path, from, pauseMs }))
    await waitUntil('the first writes', async () =>
      (await this.status()).every(({ acknowledged }, n) => acknowledged >= (this.#all[n]?.from ?? 0) + 5),
    )
  }

  async status(): Promise<Status[]> {
    return await this.#ask(({ writer }) => ({ do: 'status', writer }))
  }

  /** Ends them, who must have met no error. Answers how far they came. */
  async stop(): Promise<Status[]> {
    await this.#ask(({ writer }) => ({ do: 'stop', writer }))
    await waitUntil('the end of the writers', async () => (await this.status()).every(({ ended }) => ended))
    const all = await this.status()
    for (const { errors, lastError } of all) assert.equal(errors, 0, lastError)
    return all
  }

  /** Everything that they were told is written is there, seen from this node. */
  async requireWritten(written: readonly Status[], node: NodeName = this.#node): Promise<void> {
    const found = await this.#ask<Contents>(({ path }) => ({ do: 'read', path }), node)
    for (const [n, { volume, from }] of this.#all.entries()) {
      const [contents, status] = [found[n], written[n]]
      assert.ok(contents && status)
      requireRecords(contents, { acknowledged: status.acknowledged, from }, volume.name)
    }
  }

  async #ask<Answer>(question: (of: Writing) => Question, node: NodeName = this.#node): Promise<Answer[]> {
    return await this.#cluster.agent<Answer[]>(node, { do: 'each', of: this.#all.map(question) }, 600_000)
  }
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
    const writers = new Writers(cluster, A, inUse, round)
    // Fifty that write as fast as they can keep emulated processors from all else, for minutes of each round.
    await writers.start(rounds(20, 250))
    await cluster.machine('storage').crash()
    const before = await writers.status()
    const cutAt = performance.now()
    await cluster.boot('storage')
    const bootedAt = performance.now()
    await cluster.startDriver('storage')
    // Some seconds each, of a processor that is emulated and has all the nodes' sessions knock at it.
    await waitUntil('every export', async () => (await exportsOf(cluster)) === exported, 4)
    const exportedAt = performance.now()
    await waitUntil('writes of all', async () =>
      (await writers.status()).every(({ acknowledged }, n) => acknowledged > (before[n]?.acknowledged ?? 0) + 3),
    )
    const took = [bootedAt - cutAt, exportedAt - bootedAt, performance.now() - exportedAt].map(ms =>
      (ms / 1000).toFixed(1),
    )
    t.diagnostic(
      `round ${round}: booted after ${took[0]} s, ${exported} exports after another ${took[1]} s, all ${used} writers went on after another ${took[2]} s`,
    )
    await writers.requireWritten(await writers.stop())
  }
  await FEW.map(inUse, each => each.downOnNode(A))
  await FEW.map(volumes, async each => {
    await each.unpublish(A)
    await each.delete()
  })
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
  const writers = new Writers(cluster, A, [volume])
  await writers.start(20)
  const written = await writers.status()
  await cluster.machine(A).crash()

  await volume.unpublish(A, nodeA)
  await volume.up(B)
  await writers.requireWritten(written, B)
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
