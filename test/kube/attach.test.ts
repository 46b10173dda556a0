// Who may have a volume: two nodes, dead nodes, and what the control plane and the driver say about them.
import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { clear } from '../loop/machine.ts'
import { useCluster } from './cluster.ts'
import { READY } from './kubelet.ts'
import { DRIVER_NAME, NODE, OTHER_NODE } from './names.ts'

const bench = useCluster()

const claimsOf = (handle: string): string[] => readdirSync(join(bench.cluster.driver.pool, 'volumes', handle, 'claims'))

describe('a volume that a node has', () => {
  it('is not attached to a second one by Kubernetes, as long as the first has it', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    await cluster.bound(claim)
    const first = await cluster.run(claim)
    const second = await cluster.schedule(claim, OTHER_NODE)
    await cluster.event(second, 'FailedAttachVolume', /Multi-Attach/)
    assert.equal(await cluster.other.attachmentOf(claim), undefined)
    await cluster.api.remove('Pod', second, { now: true })
    await cluster.end(first.name)
  })

  it('is refused to a second one by the driver, which names the first', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    const volume = await cluster.bound(claim)
    const first = await cluster.run(claim)
    // What an administrator may do, or a control plane that is wrong about the first node.
    await cluster.api.create('VolumeAttachment', {
      metadata: { name: 'by-hand' },
      spec: {
        attacher: DRIVER_NAME,
        nodeName: OTHER_NODE,
        source: { persistentVolumeName: volume.metadata.name },
      },
    })
    let message = ''
    await cluster.until('the attachment is refused', async () => {
      message = (await cluster.api.get('VolumeAttachment', 'by-hand')).status?.attachError?.message ?? ''
      return message !== ''
    })
    assert.match(message, /FailedPrecondition/)
    assert.match(message, new RegExp(NODE))
    assert.equal(claimsOf(volume.spec.csi.volumeHandle).length, 1)
    writeFileSync(join(first.path, 'file'), 'still writing', { flush: true })
    await cluster.remove('VolumeAttachment', 'by-hand')
    assert.equal(readFileSync(join(first.path, 'file'), 'utf8'), 'still writing')
    assert.equal(claimsOf(volume.spec.csi.volumeHandle).length, 1)
    await cluster.end(first.name)
  })

  it('is detached when the pod goes, and the driver holds no claim any more', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    const volume = await cluster.bound(claim)
    const pod = await cluster.run(claim)
    assert.equal(claimsOf(volume.spec.csi.volumeHandle).length, 1)
    await cluster.end(pod.name)
    await cluster.until('it is detached', async () => (await cluster.node.attachmentOf(claim)) === undefined)
    assert.deepEqual(claimsOf(volume.spec.csi.volumeHandle), [])
  })

  it('is not deleted while a pod has it, and is once that is gone', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    const volume = await cluster.bound(claim)
    const pod = await cluster.run(claim)
    await cluster.api.remove('PersistentVolumeClaim', claim)
    assert.ok((await cluster.api.get('PersistentVolumeClaim', claim)).metadata.deletionTimestamp)
    writeFileSync(join(pod.path, 'file'), 'still here')
    await cluster.end(pod.name)
    await cluster.gone('PersistentVolumeClaim', claim)
    await cluster.gone('PersistentVolume', volume.metadata.name)
  })
})

describe('a dead node', () => {
  it('loses its volume by force once somebody vouches that it is out of service', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    const volume = await cluster.bound(claim)
    const pod = await cluster.run(claim)
    writeFileSync(join(pod.path, 'file'), 'flushed', { flush: true })
    // It lost its power: its mounts are gone, and nobody reports that the volume is in use no more.
    clear(join(cluster.driver.folder, 'kubelet'))
    cluster.node.forget(pod.name)
    await cluster.api.patchStatus('Node', NODE, {
      conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message: 'dead' }],
    })
    await cluster.api.remove('Pod', pod.name, { now: true })
    const { status } = await cluster.api.get('Node', NODE)
    assert.deepEqual(status.volumesInUse, [`kubernetes.io/csi/${DRIVER_NAME}^${volume.spec.csi.volumeHandle}`])
    const taint = { key: 'node.kubernetes.io/out-of-service', value: 'nodeshutdown', effect: 'NoExecute' }
    await cluster.api.patch('Node', NODE, { spec: { taints: [taint] } })
    await cluster.until('it is detached', async () => (await cluster.node.attachmentOf(claim)) === undefined)
    assert.deepEqual(claimsOf(volume.spec.csi.volumeHandle), [])

    // It comes back, with what was on the disk.
    await cluster.api.patch('Node', NODE, { spec: { taints: null } })
    await cluster.api.patchStatus('Node', NODE, {
      conditions: READY,
      volumesInUse: null,
    })
    const again = await cluster.run(claim)
    assert.equal(readFileSync(join(again.path, 'file'), 'utf8'), 'flushed')
    await cluster.end(again.name)
  })
})
