// Groups of volumes that a node writes to, each record in one before it is in the next: cut at one instant, or not at all.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { outOfOrder } from '../loop/chain-writer.ts'
import { recordsIn } from '../loop/log-records.ts'
import { waitUntil } from '../patience.ts'
import { programLine } from '../programs.ts'
import type { Cluster, NodeName } from './cluster.ts'
import { NetVolume } from './volume.ts'

interface Group {
  group_snapshot_id: string
  snapshots: readonly { snapshot_id: string; source_volume_id: string }[]
}

/** Where the writer says how many records are in all files; hosts of the lab share it. */
const NOTE = 'chain'

async function restore(cluster: Cluster, node: NodeName, source: NetVolume, { snapshots }: Group): Promise<number> {
  const snapshot_id = snapshots.find(({ source_volume_id }) => source_volume_id === source.id)?.snapshot_id
  const copy = new NetVolume(cluster, { name: `of-${source.name}`, as: source.as, size: source.size })
  await copy.create({ snapshot: { snapshot_id } })
  await copy.up(node)
  await cluster.run(node, `cp ${copy.target}/log /lab/share/${copy.name}`)
  await copy.down(node)
  await copy.delete()
  return recordsIn(join(cluster.lab.share, copy.name))
}

/** Cuts groups under a writer, which must meet no error, and finds no record without the one before it. Answers how many it wrote. */
export async function requireOrder(cluster: Cluster, node: NodeName, rounds: number): Promise<number> {
  const volumes: NetVolume[] = []
  for (const as of ['ext4', 'xfs'] as const)
    volumes.push(await (await new NetVolume(cluster, { name: `group-${as}`, as }).create()).up(node))
  const files = volumes.map(({ target }) => `${target}/log`).join(' ')
  const [note, pid] = [`/lab/share/${NOTE}`, '/run/chain.pid']
  await cluster.run(node, `setsid ${programLine('chain-writer')} ${files} >${note} 2>&1 </dev/null & echo $! >${pid}`)
  const written = async () => Number(await cluster.run(node, `wc -l <${note}`))
  for (let round = 0; round < rounds; round += 1) {
    const before = await written()
    await waitUntil('more records', async () => (await written()) > before + 10)
    const durable = await written()
    const source_volume_ids = volumes.map(({ id }) => id)
    const call = ['storage', 'GroupController'] as const
    const request = { name: `round-${round}`, source_volume_ids }
    const { group_snapshot } = await cluster.insist<{ group_snapshot: Group }>(
      ...call,
      'CreateVolumeGroupSnapshot',
      request,
    )
    const counts: number[] = []
    for (const each of volumes) counts.push(await restore(cluster, node, each, group_snapshot))
    assert.equal(outOfOrder(counts), undefined, `round ${round}`)
    assert.ok((counts[0] ?? 0) >= durable, `round ${round}: ${counts[0]} of ${durable} records that were durable`)
    const { group_snapshot_id, snapshots } = group_snapshot
    const snapshot_ids = snapshots.map(({ snapshot_id }) => snapshot_id)
    await cluster.insist(...call, 'DeleteVolumeGroupSnapshot', { group_snapshot_id, snapshot_ids })
  }
  const last = await written()
  await waitUntil('more records', async () => (await written()) > last)
  await cluster.run(node, `kill "$(cat ${pid})"`)
  assert.match(await cluster.run(node, `tail -1 ${note}`), /^\d*$/, 'the writer met an error')
  for (const each of volumes) {
    await each.down(node)
    await each.delete()
  }
  return last
}
