// Copies of a pool on ext4 whose driver is killed, and what they keep away while they last.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { test } from 'node:test'
import { waitUntil } from '../patience.ts'
import { refused, useDriver } from './harness.ts'
import { poke, sha256 } from './machine.ts'
import { killTests, SIZE } from './snapshot-kills.ts'
import { cutterOf, fromVolume } from './snapshots.ts'

const bench = useDriver({ poolOn: 'ext4' })
killTests(bench, 'ext4')

test('a volume in use is not copied on ext4, and one that is being copied is not published', async () => {
  const cutter = cutterOf(bench)
  const source = await bench.volume({ as: 'block', size: SIZE }).create()
  poke(source.data, [0, randomBytes(SIZE / 2)])
  await source.publish()
  await refused(cutter.ask(source, 'in use'), 'FAILED_PRECONDITION', /published to node .* xfs or btrfs/)
  await refused(
    bench.volume({ as: 'block', size: SIZE }).create(fromVolume(source)),
    'FAILED_PRECONDITION',
    /published/,
  )
  await source.unpublish()
  const cut = cutter.cut(source)
  await waitUntil('it is cut', async () => (await cutter.list()).length > 0)
  const early = await source.publish().then(
    () => 'published',
    (error: unknown) => String(error),
  )
  // The copy may have come to its end meanwhile.
  if (early !== 'published') assert.match(early, /FAILED_PRECONDITION.*being copied to snap-/)
  else assert.equal((await cutter.list())[0]?.ready_to_use, true)
  const snapshot = await cut
  assert.equal(sha256(join(bench.driver.pool, 'snapshots', snapshot.snapshot_id, 'data')), sha256(source.data))
  await source.publish()
})
