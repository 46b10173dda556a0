// A staged filesystem that stopped working: the next publish stages it again, unless a pod still has it.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import { run } from './machine.ts'

const bench = useDriver()

for (const as of ['ext4', 'xfs'] as const) {
  test(`an ${as} that was shut down is staged again by the next publish, with what was synced`, async () => {
    const volume = await bench.volume({ as }).up()
    const first = await volume.publishAt(bench.path('first'))
    writeFileSync(join(first, 'kept'), 'synced')
    run('sync', '--file-system', first)
    run('xfs_io', '-x', '-c', 'shutdown', volume.staging)

    await refused(volume.publishAt(bench.path('second')), 'FAILED_PRECONDITION', /published at .*first.*end the pods/)
    assert.throws(() => writeFileSync(join(volume.staging, 'x'), 'x'))
    await volume.unpublishAt(first)

    const second = await volume.publishAt(bench.path('second'))
    assert.equal(readFileSync(join(second, 'kept'), 'utf8'), 'synced')
    writeFileSync(join(second, 'new'), 'works')
    // A healthy one is left alone.
    const number = run('stat', '--format', '%d', volume.staging)
    await volume.publishAt(bench.path('third'))
    assert.equal(readFileSync(join(second, 'new'), 'utf8'), 'works')
    assert.equal(run('stat', '--format', '%d', volume.staging), number)
  })
}

test('a publish that could not stage it again is no end: the next one goes on', async () => {
  const volume = await bench.volume({ as: 'xfs' }).up()
  writeFileSync(join(volume.staging, 'kept'), 'synced')
  run('sync', '--file-system', volume.staging)
  run('xfs_io', '-x', '-c', 'shutdown', volume.staging)
  run('mv', volume.data, `${volume.data}.away`)
  for (const name of ['first', 'second']) await assert.rejects(volume.publishAt(bench.path(name)))
  run('mv', `${volume.data}.away`, volume.data)
  const target = await volume.publishAt(bench.path('third'))
  assert.equal(readFileSync(join(target, 'kept'), 'utf8'), 'synced')
})
