// Publish is the right to write: once it is taken from a node, none of its writes arrives, whatever the node and its cable do.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '../patience.ts'
import { rounds } from '../scale.ts'
import type { Contents, Status } from './agent.ts'
import { type Cluster, withCluster } from './cluster.ts'
import { NetVolume } from './volume.ts'

const [A, B] = ['node-a', 'node-b'] as const
/** Writes that node-a must have got through before the volume moves. */
const ENOUGH = 100

type Move = 'node alive' | 'cable cut and healed'

const maximum = ({ numbers }: Contents): number => Math.max(...numbers)

/** One volume moves from node-a, which goes on writing, to node-b. Answers how many writes node-a got acknowledged. */
async function move(cluster: Cluster, round: number, how: Move): Promise<number> {
  const volume = await new NetVolume(cluster, { name: `fencing-${round}`, as: 'block' }).create()
  const { target } = volume
  const writer = `a-${round}`
  const [nodeA, nodeB] = [await cluster.nodeId(A), await cluster.nodeId(B)]
  await volume.up(A)
  await cluster.agent(A, { do: 'write', writer, path: target })
  const status = () => cluster.agent<Status>(A, { do: 'status', writer })
  await waitUntil('writes of node-a', async () => (await status()).acknowledged >= ENOUGH)

  if (how === 'cable cut and healed') await cluster.machine(A).cut('san0')
  // As a controller does with a node that it takes for dead: nothing is unstaged there.
  await volume.unpublish(A, nodeA)
  await volume.publish(B, { node_id: nodeB })
  await volume.stage(B)
  await volume.publishAt(B)
  const first = await cluster.agent<Contents>(B, { do: 'read', path: target })
  await cluster.agent(B, { do: 'write', writer: `b-${round}`, path: `${target}`, pauseMs: 5, from: 1_000_000 })
  if (how === 'cable cut and healed') await cluster.machine(A).heal('san0')
  await sleep(3000)

  const { acknowledged } = await status()
  assert.deepEqual(first.torn, [])
  assert.ok(
    maximum(first) >= acknowledged,
    `round ${round}: node-a was told of write ${acknowledged}, node-b found ${maximum(first)}`,
  )
  const b = await cluster.agent<Status>(B, { do: 'stop', writer: `b-${round}` })
  await waitUntil(
    'the end of the writer of node-b',
    async () => (await cluster.agent<Status>(B, { do: 'status', writer: `b-${round}` })).ended,
  )
  const last = await cluster.agent<Contents>(B, { do: 'read', path: target })
  assert.ok(b.acknowledged > 1_000_000 && b.errors === 0, `${b.errors} errors of node-b: ${b.lastError}`)
  const late = last.numbers.filter((number, slot) => number < 1_000_000 && number !== first.numbers[slot])
  assert.deepEqual([late, last.torn], [[], []], `round ${round}: node-a wrote after node-b`)

  await cluster.agent(A, { do: 'stop', writer })
  await waitUntil('the end of the writer of node-a', async () => (await status()).ended)
  await volume.downOnNode(A)
  await volume.down(B)
  await volume.delete()
  return acknowledged
}

async function fence(t: TestContext, target: 'lio' | 'tgt'): Promise<void> {
  // I/O of a fenced node must fail soon enough for the test to go on.
  await withCluster({ target, iscsi: { replacementTimeoutSeconds: 5 } }, async cluster => {
    const moves: Move[] = ['node alive', 'cable cut and healed']
    let written = 0
    for (let round = 0; round < rounds(2, 50); round += 1)
      written += await move(cluster, round, moves[round % 2] ?? 'node alive')
    t.diagnostic(`${rounds(2, 50)} moves, ${written} writes of node-a acknowledged, none after the first of node-b`)
    await cluster.requireClean()
  })
}

for (const target of ['lio', 'tgt'] as const)
  test(`over ${target}, the last write of a node that loses a volume precedes the first of the node that gets it`, t =>
    fence(t, target))
