// VolumeAttributesClass: mutable parameters on their way through the resizer to the driver, and to the next attachment.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { useCluster } from './cluster.ts'
import { attributesClass } from './objects.ts'

const bench = useCluster()

describe('a VolumeAttributesClass', () => {
  it('that a claim changes to reaches the driver, and the node at the next attachment', async () => {
    const { cluster } = bench
    await cluster.api.create('VolumeAttributesClass', attributesClass('slow', { readIops: '100' }))
    await cluster.api.create('VolumeAttributesClass', attributesClass('fast', { readIops: '900', readAheadKiB: '64' }))
    const claim = await cluster.claim({ attributes: 'slow' })
    const volume = await cluster.bound(claim)
    const first = await cluster.run(claim)
    assert.equal((await cluster.node.attached(claim)).status.attachmentMetadata.read_iops, '100')

    await cluster.api.patch('PersistentVolumeClaim', claim, { spec: { volumeAttributesClassName: 'fast' } })
    await cluster.until('the claim has its new class', async () => {
      const { status } = await cluster.api.get('PersistentVolumeClaim', claim)
      return status.currentVolumeAttributesClassName === 'fast' && status.modifyVolumeStatus === undefined
    })
    const folder = join(cluster.driver.pool, 'volumes', volume.spec.csi.volumeHandle)
    assert.match(readFileSync(join(folder, 'modified.json'), 'utf8'), /"readIops": ?"900"/)
    await cluster.end(first.name)
    await cluster.until('nothing is attached', async () => (await cluster.api.list('VolumeAttachment')).length === 0)

    const second = await cluster.run(claim)
    const { attachmentMetadata } = (await cluster.node.attached(claim)).status
    assert.equal(attachmentMetadata.read_iops, '900')
    assert.equal(attachmentMetadata.read_ahead_kib, '64')
    await cluster.end(second.name)
  })

  it('with a parameter that does not exist is infeasible, and changes nothing', async () => {
    const { cluster } = bench
    await cluster.api.create('VolumeAttributesClass', attributesClass('good', { readIops: '100' }))
    await cluster.api.create('VolumeAttributesClass', attributesClass('wrong', { colour: 'blue' }))
    const claim = await cluster.claim({ attributes: 'good' })
    await cluster.bound(claim)
    await cluster.api.patch('PersistentVolumeClaim', claim, { spec: { volumeAttributesClassName: 'wrong' } })
    await cluster.event(claim, 'VolumeModifyFailed', /colour/)
    await cluster.until('the claim says that it cannot be', async () => {
      const { status } = await cluster.api.get('PersistentVolumeClaim', claim)
      return status.modifyVolumeStatus?.status === 'Infeasible'
    })
    const { status } = await cluster.api.get('PersistentVolumeClaim', claim)
    assert.equal(status.currentVolumeAttributesClassName, 'good')
    // Back to what holds: Kubernetes lets go of the wrong one.
    await cluster.api.patch('PersistentVolumeClaim', claim, { spec: { volumeAttributesClassName: 'good' } })
    await cluster.until('the claim is at rest', async () => {
      return (await cluster.api.get('PersistentVolumeClaim', claim)).status.modifyVolumeStatus === undefined
    })
  })
})
