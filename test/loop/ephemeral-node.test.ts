// Ephemeral volumes on a node whose controller is another process: the node has a pool of its own for them.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { digest } from '../../src/volume/ids.ts'
import { useDriver } from './harness.ts'
import { mountsAt } from './machine.ts'
import { capabilityOf } from './volume.ts'

const { driver, path } = useDriver({
  split: true,
  config: { ephemeral: { maxVolumes: 1, maxVolumeMiB: 64, maxTotalMiB: 64 } },
})

test('a node process makes and removes the volumes of its pods by itself', async () => {
  const target = join(path('pod'), 'mount')
  mkdirSync(dirname(target), { recursive: true })
  const request = { volume_id: `csi-${digest(target)}`, target_path: target }
  await driver.call('Node', 'NodePublishVolume', {
    ...request,
    volume_capability: capabilityOf('ext4', 'SINGLE_NODE_MULTI_WRITER'),
    volume_context: { 'csi.storage.k8s.io/ephemeral': 'true' },
  })
  assert.equal(mountsAt(target).length, 1)
  await driver.call('Node', 'NodeUnpublishVolume', request)
  assert.deepEqual([existsSync(target), readdirSync(join(driver.pool, 'volumes'))], [false, []])
  rmSync(dirname(target), { recursive: true })
})
