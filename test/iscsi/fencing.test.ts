// Publish is the right to write: once it is taken from a node, none of its writes arrives, whatever the node and its cable do.
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitUntil } from '../patience.ts'
import { rounds } from '../scale.ts'
import { type CallFailed, type Cluster, withCluster } from './cluster.ts'
import { A, B, begin, type Moving, moveToB, PAUSE_MS, requireFenced, statusOf, stop, stopB } from './moving.ts'

/** How long node-a, alive and connected again, goes on trying to write to what is not its any more. */
const TRIES_MS = 3000

const WAYS = ['node alive', 'cable cut and healed'] as const
type Way = (typeof WAYS)[number]

/**
 * A volume comes back to the node that lost it, which still has the old disk and writes to it. iscsid retries for ever: the
 * old session logs in again as soon as the node's right is back, with its queued and dirty pages. They must find nothing
 * behind their LUN, or they would overwrite what node-b wrote; and nobody gets the volume there before the disk is gone.
 */
async function comeBack(cluster: Cluster, { volume, writer }: Moving): Promise<void> {
  await stopB(cluster, volume)
  await volume.down(B)
  const sum = () => cluster.run('storage', `sha256sum <${volume.data}`)
  const left = await sum()
  await volume.publish(A)
  const state = `cat "$(dirname "$(grep -l ${volume.id} /sys/class/iscsi_session/session*/targetname)")/state"`
  await waitUntil('the old session', async () => (await cluster.run(A, state)) === 'LOGGED_IN')
  const { errors } = await statusOf(cluster, A, writer)
  await waitUntil('refused writes of node-a', async () => (await statusOf(cluster, A, writer)).errors > errors)
  await sleep(TRIES_MS)
  assert.equal(await sum(), left, `${volume.name}: the old session of node-a came to life`)
  // Not insisting: the first answer counts.
  await assert.rejects(
    cluster.call(A, 'Node', 'NodeStageVolume', volume.stageRequest()),
    (error: CallFailed) => error.code === 'FAILED_PRECONDITION',
  )
  await stop(cluster, A, writer)
  await volume.downOnNode(A)
  await volume.stage(A)
  await volume.publishAt(A)
}

/** Several volumes move at once, and one of them comes back. Answers how many writes node-a got acknowledged. */
async function round(cluster: Cluster, names: readonly string[], how: Way): Promise<number> {
  const nodeA = await cluster.nodeId(A)
  const moving = await Promise.all(names.map(name => begin(cluster, name, (PAUSE_MS / 2) * names.length)))
  if (how === 'cable cut and healed') await cluster.machine(A).cut('san0')
  const moved = await Promise.all(moving.map(async each => ({ each, first: await moveToB(cluster, each, nodeA) })))
  if (how === 'cable cut and healed') await cluster.machine(A).heal('san0')
  await sleep(TRIES_MS)
  let acknowledged = 0
  const [back, ...others] = moved
  for (const { each, first } of others) acknowledged += await requireFenced(cluster, each, first)
  if (back) {
    await comeBack(cluster, back.each)
    acknowledged += await requireFenced(cluster, back.each, back.first, A)
  }
  await Promise.all(
    moving.map(async ({ volume }) => {
      if (volume === back?.each.volume) await volume.down(A)
      else {
        await volume.downOnNode(A)
        await volume.down(B)
      }
      await volume.delete()
    }),
  )
  return acknowledged
}

async function fence(t: TestContext, cluster: Cluster, ways: readonly Way[]): Promise<void> {
  const [turns, atOnce] = [rounds(ways.length, 10), rounds(2, 5)]
  let written = 0
  for (let turn = 0; turn < turns; turn += 1) {
    const names = Array.from({ length: atOnce }, (_, n) => `fencing-${turn}-${n}`)
    written += await round(cluster, names, ways[turn % ways.length] ?? 'node alive')
  }
  const moves = turns * atOnce
  t.diagnostic(`${moves} moves, ${written} writes of node-a acknowledged, none after the first of node-b`)
  await cluster.requireClean()
}

test('a volume moves away from a node that goes on writing', async t => {
  // I/O of a fenced node must fail soon enough for the test to go on; that of node-b, on a busy machine, must not.
  const iscsi = { replacementTimeoutSeconds: 30, noopTimeoutSeconds: 30 }
  await withCluster({ target: 'lio', iscsi }, async cluster => {
    // An ordinary run has each way with one of the targets.
    await t.test('over LIO', st => fence(st, cluster, rounds<readonly Way[]>(WAYS.slice(1), WAYS)))
    await cluster.become({ target: 'tgt' })
    await t.test('over tgt', st => fence(st, cluster, rounds<readonly Way[]>(WAYS.slice(0, 1), WAYS)))
  })
})
