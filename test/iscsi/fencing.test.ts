// Publish is the right to write: once it is taken from a node, none of its writes arrives, whatever the node and its cable do.
import { type TestContext, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { rounds } from '../scale.ts'
import { type Cluster, withCluster } from './cluster.ts'
import { A, B, begin, moveToB, PAUSE_MS, requireFenced } from './moving.ts'

/** How long node-a, alive and connected again, goes on trying to write to what is not its any more. */
const TRIES_MS = 3000

const WAYS = ['node alive', 'cable cut and healed'] as const
type Way = (typeof WAYS)[number]

/** Several volumes move at once. Answers how many writes node-a got acknowledged. */
async function round(cluster: Cluster, names: readonly string[], how: Way): Promise<number> {
  const nodeA = await cluster.nodeId(A)
  const moving = await Promise.all(names.map(name => begin(cluster, name, (PAUSE_MS / 2) * names.length)))
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
