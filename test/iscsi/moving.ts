// Volumes that move from a node that goes on writing to them, and what must be true of their bytes.
import assert from 'node:assert/strict'
import { waitUntil } from '../patience.ts'
import type { Contents, Status } from './agent.ts'
import { CallFailed, type Cluster, type NodeName } from './cluster.ts'
import { NetVolume } from './volume.ts'

export const [A, B] = ['node-a', 'node-b'] as const
/** Writes that node-a must have got through before a volume moves. */
const ENOUGH = 100
/** Where the numbers of node-b begin. */
const OF_B = 1_000_000
export interface Moving {
  readonly volume: NetVolume
  readonly writer: string
}

export const statusOf = async (cluster: Cluster, node: NodeName, writer: string) =>
  await cluster.agent<Status>(node, { do: 'status', writer })

export async function stop(cluster: Cluster, node: NodeName, writer: string): Promise<Status> {
  await cluster.agent(node, { do: 'stop', writer })
  await waitUntil(`the end of ${writer}`, async () => (await statusOf(cluster, node, writer)).ended)
  return await statusOf(cluster, node, writer)
}

/** Calls again when the driver asks for that, as an orchestrator does: several writers at once leave a node little time. */
async function upAtLast(volume: NetVolume, node: NodeName): Promise<void> {
  await waitUntil(`${volume.name} on ${node}`, async () => {
    try {
      await volume.up(node)
      return true
    } catch (error) {
      if (error instanceof CallFailed && error.code === 'UNAVAILABLE') return false
      throw error
    }
  })
}

/** A volume on node-a, which writes to it and does not stop. */
export async function begin(cluster: Cluster, name: string): Promise<Moving> {
  const volume = await new NetVolume(cluster, { name, as: 'block' }).create()
  await upAtLast(volume, A)
  const writer = `a-${name}`
  await cluster.agent(A, { do: 'write', writer, path: volume.target, pauseMs: 2 })
  await waitUntil('writes of node-a', async () => (await statusOf(cluster, A, writer)).acknowledged >= ENOUGH)
  return { volume, writer }
}

/** As a controller does with a node that it takes for dead: nothing is unstaged there. Answers what node-b found. */
export async function moveToB(cluster: Cluster, { volume }: Moving, nodeA: string): Promise<Contents> {
  await volume.unpublish(A, nodeA)
  await upAtLast(volume, B)
  const found = await cluster.agent<Contents>(B, { do: 'read', path: volume.target })
  const writer = `b-${volume.name}`
  await cluster.agent(B, { do: 'write', writer, path: volume.target, pauseMs: 5, from: OF_B })
  return found
}

/** Fails if a write of node-a was lost that it was told of, or arrived after node-b had looked. */
export async function requireFenced(cluster: Cluster, { volume, writer }: Moving, first: Contents): Promise<number> {
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
