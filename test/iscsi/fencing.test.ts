// Publish is the right to write: once it is taken from a node, none of its writes arrives, whatever the node and its cable do.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '../patience.ts'
import { rounds } from '../scale.ts'
import type { Contents, Status } from './agent.ts'
import { type Cluster, type NodeName, withCluster } from './cluster.ts'
import { NetVolume } from './volume.ts'

const [A, B] = ['node-a', 'node-b'] as const
/** Writes that node-a must have got through before a volume moves. */
const ENOUGH = 100
/** Where the numbers of node-b begin. */
const OF_B = 1_000_000
/** How long node-a, alive and connected again, goes on trying to write to what is not its any more. */
const TRIES_MS = 3000

const WAYS = ['node alive', 'cable cut and healed'] as const
type Way = (typeof WAYS)[number]

interface Moving {
  readonly volume: NetVolume
  readonly writer: string
}

const statusOf = async (cluster: Cluster, node: NodeName, writer: string) =>
  await cluster.agent<Status>(node, { do: 'status', writer })

async function stop(cluster: Cluster, node: NodeName, writer: string): Promise<Status> {
  await cluster.agent(node, { do: 'stop', writer })
  await waitUntil(`the end of ${writer}`, async () => (await statusOf(cluster, node, writer)).ended)
  return await statusOf(cluster, node, writer)
}

/** A volume on node-a, which writes to it and does not stop. */
async function begin(cluster: Cluster, name: string): Promise<Moving> {
  const volume = await new NetVolume(cluster, { name, as: 'block' }).create()
  await volume.up(A)
  const writer = `a-${name}`
  await cluster.agent(A, { do: 'write', writer, path: volume.target, pauseMs: 2 })
  await waitUntil('writes of node-a', async () => (await statusOf(cluster, A, writer)).acknowledged >= ENOUGH)
  return { volume, writer }
}

/** As a controller does with a node that it takes for dead: nothing is unstaged there. Answers what node-b found. */
async function moveToB(cluster: Cluster, { volume }: Moving, nodeA: string): Promise<Contents> {
  await volume.unpublish(A, nodeA)
  await volume.up(B)
  const found = await cluster.agent<Contents>(B, { do: 'read', path: volume.target })
  const writer = `b-${volume.name}`
  await cluster.agent(B, { do: 'write', writer, path: volume.target, pauseMs: 5, from: OF_B })
  return found
}

/** Fails if a write of node-a was lost that it was told of, or arrived after node-b had looked. */
async function requireFenced(cluster: Cluster, { volume, writer }: Moving, first: Contents): Promise<number> {
  const { acknowledged } = await stop(cluster, A, writer)
  const last = Math.max(...first.numbers)
  assert.deepEqual(first.torn, [])
  assert.ok(last >= acknowledged, `${volume.name}: node-a was told of write ${acknowledged}, node-b found ${last}`)
  const ofB = await stop(cluster, B, `b-${volume.name}`)
  assert.ok(ofB.acknowledged > OF_B && ofB.errors === 0, `${ofB.errors} errors of node-b: ${ofB.lastError}`)
  const { numbers, torn } = await cluster.agent<Contents>(B, { do: 'read', path: volume.target })
  const late = numbers.filter((number, slot) => number < OF_B && number !== first.numbers[slot])
  assert.deepEqual([late, torn], [[], []], `${volume.name}: node-a wrote after node-b`)
  return acknowledged
}

/** Several volumes move at once. Answers how many writes node-a got acknowledged. */
async function round(cluster: Cluster, names: readonly string[], how: Way): Promise<number> {
  const nodeA = await cluster.nodeId(A)
  const moving = await Promise.all(names.map(name => begin(cluster, name)))
  if (how === 'cable cut and healed') await cluster.machine(A).cut('san0')
  const moved = await Promise.all(moving.map(async each => ({ each, first: await moveToB(cluster, each, nodeA) })))
  if (how === 'cable cut and healed') await cluster.machine(A).heal('san0')
  await sleep(TRIES_MS)
  let acknowledged = 0
  for (const { each, first } of moved) acknowledged += await requireFenced(cluster, each, first)
  await Promise.all(
    moving.map(async ({ volume }) => {
      await volume.downOnNode(A)
      await volume.down(B)
      await volume.delete()
    }),
  )
  return acknowledged
}

async function fence(t: TestContext, target: 'lio' | 'tgt'): Promise<void> {
  // I/O of a fenced node must fail soon enough for the test to go on.
  await withCluster({ target, iscsi: { replacementTimeoutSeconds: 5 } }, async cluster => {
    const [turns, atOnce] = [rounds(2, 10), rounds(2, 5)]
    let written = 0
    for (let turn = 0; turn < turns; turn += 1) {
      const names = Array.from({ length: atOnce }, (_, n) => `fencing-${turn}-${n}`)
      written += await round(cluster, names, WAYS[turn % WAYS.length] ?? 'node alive')
    }
    const moves = turns * atOnce
    t.diagnostic(`${moves} moves, ${written} writes of node-a acknowledged, none after the first of node-b`)
    await cluster.requireClean()
  })
}

test('a volume of LIO moves away from a node that goes on writing', t => fence(t, 'lio'))
test('a volume of tgt moves away from a node that goes on writing', t => fence(t, 'tgt'))
