// Volumes that move from a node that goes on writing to them, and what must be true of their bytes.
import assert from 'node:assert/strict'
import { waitUntil } from '../patience.ts'
import type { Contents, Status } from './agent.ts'
import type { Cluster, NodeName } from './cluster.ts'
import { requireRecords } from './records.ts'
import { NetVolume } from './volume.ts'

export const [A, B] = ['node-a', 'node-b'] as const
/** Writes that node-a must have got through before a volume moves. */
const ENOUGH = 100
/** A write takes an emulated processor 14 ms: without pauses the driver would hardly have a turn. */
export const PAUSE_MS = 40
/** Where node-b writes: what node-a wrote must stay to the last byte as node-b found it. */
const REGION_OF_B = 1
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

/** A volume on node-a, which writes to it and does not stop. */
export async function begin(cluster: Cluster, name: string, pauseMs = PAUSE_MS): Promise<Moving> {
  const volume = await new NetVolume(cluster, { name, as: 'block' }).create()
  await volume.up(A)
  const writer = `a-${name}`
  await cluster.agent(A, { do: 'write', writer, path: volume.target, pauseMs })
  await waitUntil('writes of node-a', async () => (await statusOf(cluster, A, writer)).acknowledged >= ENOUGH)
  return { volume, writer }
}

const writerOfB = ({ name }: NetVolume): string => `b-${name}`

/** As a controller does with a node that it takes for dead: nothing is unstaged there. Answers what node-b found. */
export async function moveToB(cluster: Cluster, { volume }: Moving, nodeA: string): Promise<Contents> {
  await volume.unpublish(A, nodeA)
  await volume.up(B)
  const found = await cluster.agent<Contents>(B, { do: 'read', path: volume.target })
  await cluster.agent(B, {
    do: 'write',
    writer: writerOfB(volume),
    path: volume.target,
    pauseMs: PAUSE_MS,
    region: REGION_OF_B,
  })
  return found
}

/** Ends the writer of node-b, which must have met no error. */
export async function stopB(cluster: Cluster, volume: NetVolume): Promise<Status> {
  const ofB = await stop(cluster, B, writerOfB(volume))
  assert.ok(ofB.acknowledged > 0 && ofB.errors === 0, `${ofB.errors} errors of node-b: ${ofB.lastError}`)
  return ofB
}

/** Fails if a write of node-a was lost that it was told of, or arrived after node-b had looked. `reader`: who has it now. */
export async function requireFenced(
  cluster: Cluster,
  { volume, writer }: Moving,
  first: Contents,
  reader: NodeName = B,
): Promise<number> {
  const written = await stop(cluster, A, writer)
  requireRecords(first, written, `${volume.name}: node-b did not find what node-a was told is written`)
  const ofB = await stopB(cluster, volume)
  const ask = { do: 'read', path: volume.target } as const
  assert.deepEqual(
    await cluster.agent<Contents>(reader, ask),
    first,
    `${volume.name}: node-a wrote after node-b had looked`,
  )
  const own = await cluster.agent<Contents>(reader, { ...ask, region: REGION_OF_B })
  requireRecords(own, ofB, `${volume.name}: what node-b wrote`)
  return written.acknowledged
}
