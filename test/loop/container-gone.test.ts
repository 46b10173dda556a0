// A container that attached a volume has ended: the kernel shows the file by what is left of its mounts.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'node:test'
import { useDriver } from './harness.ts'
import { run } from './machine.ts'

const bench = useDriver()

/** As a container does that has the pool as a mount of its own. */
const ATTACH = 'mount --make-rprivate / && mount --bind "$0" "$0" && exec losetup --find --show "$1"'

for (const as of ['xfs', 'block'] as const) {
  test(`${as}: the volume is used, grown and let go as if it had been attached here`, async () => {
    const volume = await bench.volume({ as }).create()
    const device = run('unshare', '--mount', 'sh', '-c', ATTACH, bench.driver.pool, volume.data).trim()
    const shown = readFileSync(join('/sys/block', basename(device), 'loop/backing_file'), 'utf8').trim()
    assert.equal(shown, `/volumes/${volume.id}/data`)
    await volume.publish()
    assert.equal(volume.device, device)
    await volume.stage()
    const target = await volume.publishAt(bench.path('pod'))
    if (as === 'xfs') writeFileSync(join(target, 'kept'), 'bytes')
    const capacity_range = { required_bytes: String(volume.size * 2) }
    await bench.driver.call('Controller', 'ControllerExpandVolume', { volume_id: volume.id, capacity_range })
    const place = { volume_id: volume.id, volume_path: target }
    await bench.driver.call('Node', 'NodeExpandVolume', {
      ...place,
      capacity_range,
      volume_capability: volume.capability,
    })
    const { volume_condition } = await bench.driver.call<{ volume_condition: object }>(
      'Node',
      'NodeGetVolumeStats',
      place,
    )
    assert.deepEqual(volume_condition, { abnormal: false, message: 'the volume is in order' })
  })
}
