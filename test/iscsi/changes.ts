// Over iSCSI: what may change while a volume lives, and which blocks did.
import assert from 'node:assert/strict'
import type { StreamingMethod } from '../../src/rpc/client.ts'
import type { Cluster, NodeName } from './cluster.ts'
import { NetVolume } from './volume.ts'

const BLOCK = 4096

/** Read-ahead and discards of a disk that came over the network: as the volume says, also after each look at it. */
export async function requireTuned(cluster: Cluster, node: NodeName): Promise<void> {
  const volume = await new NetVolume(cluster, { name: 'tuned', as: 'xfs' }).create()
  await volume.modify({ readAheadKiB: '516', discard: 'off' })
  await (await volume.publish(node)).stage(node)
  const inEffect = async () =>
    await cluster.run(
      node,
      `cd /sys/block/$(basename $(findmnt --noheadings --output SOURCE ${volume.staging}))/queue && cat read_ahead_kb discard_max_bytes`,
    )
  assert.equal(await inEffect(), '516\n0')
  await volume.publishAt(node)
  await cluster.doctor(node)
  assert.equal(await inEffect(), '516\n0')
  assert.equal((await volume.condition(node)).message, 'the volume is in order')
  await volume.expand(2 * volume.size)
  await volume.expandOnNode(node)
  assert.equal(await inEffect(), '516\n0')
  // An attachment keeps what it was told; the next one has what is said now.
  await volume.modify({ readAheadKiB: '1028', discard: 'on' })
  assert.equal(await inEffect(), '516\n0')
  await volume.down(node)
  await volume.up(node)
  assert.match(await inEffect(), /^1028\n[1-9]/)
  await volume.down(node)
  await volume.delete()
}

interface Message {
  readonly block_metadata: readonly { readonly byte_offset: string; readonly size_bytes: string }[]
}

/** Numbers of the blocks that an answer names. */
async function blocksOf(cluster: Cluster, method: StreamingMethod, request: object): Promise<number[]> {
  const pieces = (await cluster.stream<Message>('storage', method, request)).flatMap(each => each.block_metadata)
  return pieces.flatMap(({ byte_offset, size_bytes }) =>
    Array.from({ length: Number(size_bytes) / BLOCK }, (_, n) => Number(byte_offset) / BLOCK + n),
  )
}

/** Exactly the blocks that a node wrote to a device in use are named, between any two of its snapshots. */
export async function requireChanges(cluster: Cluster, node: NodeName): Promise<void> {
  const volume = await (await new NetVolume(cluster, { name: 'changed', as: 'block' }).create()).up(node)
  const write = async (...blocks: readonly number[]) => {
    for (const block of blocks)
      await cluster.run(
        node,
        `dd if=/dev/urandom of=${volume.target} bs=${BLOCK} seek=${block} count=1 oflag=direct conv=notrunc status=none`,
      )
  }
  const last = volume.size / BLOCK - 1
  await write(0, 7, 4000)
  const first = await volume.snapshot('changed-1')
  await write(7, 8, last)
  const second = await volume.snapshot('changed-2')
  await write(0)
  const allocated = (snapshot_id: string) => blocksOf(cluster, 'GetMetadataAllocated', { snapshot_id })
  const delta = (base_snapshot_id: string, target_snapshot_id: string, more: object = {}) =>
    blocksOf(cluster, 'GetMetadataDelta', { base_snapshot_id, target_snapshot_id, ...more })
  assert.deepEqual(await allocated(first), [0, 7, 4000])
  assert.deepEqual(await allocated(second), [0, 7, 8, 4000, last])
  assert.deepEqual(await delta(first, second), [7, 8, last])
  assert.deepEqual(await delta(first, second, { starting_offset: String(8 * BLOCK + 1) }), [8, last])
  assert.deepEqual(await delta(second, second), [])
  await volume.down(node)
  await volume.delete()
  assert.deepEqual(await delta(first, second), [7, 8, last], 'the volume itself is not needed')
  for (const snapshot_id of [first, second])
    await cluster.insist('storage', 'Controller', 'DeleteSnapshot', { snapshot_id })
}
