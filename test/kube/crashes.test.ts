// Deaths: of the driver in the middle of a call, of each sidecar, of the leader; and what comes of the work that was under way.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../loop/machine.ts'
import { useCluster } from './cluster.ts'
import { NODE } from './names.ts'
import { snapshotClass, storageClass } from './objects.ts'

const bench = useCluster()

const reviveDriver = async (): Promise<void> => {
  const { cluster } = bench
  await cluster.driver.kill()
  cluster.rig.relay.release()
  await cluster.driver.start()
}

/** From here to `release` the driver works, and no sidecar hears of it. */
const deaf = () => bench.cluster.rig.relay.hold()

/** Sidecars keep to the claims that exist: one volume each, whatever happened on the way. */
const requireOneVolume = async (claim: string): Promise<void> => {
  const { spec } = await bench.cluster.bound(claim)
  assert.deepEqual(bench.cluster.inPool('volumes'), [spec.csi.volumeHandle])
}

describe('a driver that is killed', () => {
  it('after it made a volume and before it said so makes no second one', async () => {
    const { cluster } = bench
    deaf()
    const claim = await cluster.claim()
    await cluster.until('the volume is made', async () => cluster.inPool('volumes').length > 0)
    assert.equal((await cluster.api.get('PersistentVolumeClaim', claim)).status.phase, 'Pending')
    await reviveDriver()
    await requireOneVolume(claim)
  })

  it('among many claims leaves each with one volume', async () => {
    const { cluster } = bench
    const claims = await Promise.all(Array.from({ length: 8 }, () => cluster.claim({ mode: 'Block', size: '4Mi' })))
    await cluster.until('some are made', async () => cluster.inPool('volumes').length > 1)
    await reviveDriver()
    const volumes = await Promise.all(claims.map(claim => cluster.bound(claim)))
    assert.deepEqual(volumes.map(({ spec }) => spec.csi.volumeHandle).sort(), cluster.inPool('volumes').sort())
  })

  it('after it deleted a volume and before it said so is asked again, and content', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    const { metadata } = await cluster.bound(claim)
    deaf()
    await cluster.api.remove('PersistentVolumeClaim', claim)
    await cluster.until('the volume is deleted', async () => cluster.inPool('volumes').length === 0)
    await reviveDriver()
    await cluster.gone('PersistentVolume', metadata.name)
  })

  it('after it took a snapshot and before it said so takes no second one', async () => {
    const { cluster } = bench
    await cluster.api.create('VolumeSnapshotClass', snapshotClass('snapshots'))
    const claim = await cluster.claim()
    await cluster.bound(claim)
    deaf()
    await cluster.api.create('VolumeSnapshot', {
      metadata: { name: 'once' },
      spec: { volumeSnapshotClassName: 'snapshots', source: { persistentVolumeClaimName: claim } },
    })
    await cluster.until('the snapshot is taken', async () => cluster.inPool('snapshots').length > 0)
    await reviveDriver()
    const content = await cluster.ready('once')
    assert.deepEqual(cluster.inPool('snapshots'), [content.status.snapshotHandle])
  })

  it('while a pod has its volume disturbs nothing, and takes it down when it is back', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    await cluster.bound(claim)
    const pod = await cluster.run(claim)
    writeFileSync(join(pod.path, 'file'), 'before', { flush: true })
    await cluster.driver.kill()
    writeFileSync(join(pod.path, 'file'), 'without a driver', { flush: true })
    await cluster.driver.start()
    await cluster.end(pod.name)
    const again = await cluster.run(claim)
    assert.equal(readFileSync(join(again.path, 'file'), 'utf8'), 'without a driver')
    await cluster.end(again.name)
  })
})

describe('a provisioner that is killed', () => {
  it('while a volume is made goes on with it when it is back', async () => {
    const { cluster } = bench
    deaf()
    const claim = await cluster.claim()
    await cluster.until('the volume is made', async () => cluster.inPool('volumes').length > 0)
    await cluster.rig.sidecar('csi-provisioner').restart()
    cluster.rig.relay.release()
    await requireOneVolume(claim)
  })

  it('while a snapshot is restored makes one volume, with its data', async () => {
    const { cluster } = bench
    await cluster.api.create('VolumeSnapshotClass', snapshotClass('snapshots'))
    const source = await cluster.claim()
    await cluster.bound(source)
    const pod = await cluster.run(source)
    writeFileSync(join(pod.path, 'file'), 'to restore', { flush: true })
    run('sync', '--file-system', pod.path)
    await cluster.snapshot(source, 'snapshots', 'origin')
    await cluster.end(pod.name)
    deaf()
    const restored = await cluster.claim({ source: { kind: 'VolumeSnapshot', name: 'origin' } })
    await cluster.until('the volume is made', async () => cluster.inPool('volumes').length > 1)
    await cluster.rig.sidecar('csi-provisioner').restart()
    cluster.rig.relay.release()
    await cluster.bound(restored)
    assert.equal(cluster.inPool('volumes').length, 2)
    const second = await cluster.run(restored)
    assert.equal(readFileSync(join(second.path, 'file'), 'utf8'), 'to restore')
    await cluster.end(second.name)
  })

  it('while it leads is followed by another, that was waiting', async () => {
    const { cluster } = bench
    const { rig, api } = cluster
    const lease = 'csi-ashlar-dev'
    const holder = async (): Promise<string> =>
      (await api.find('Lease', lease, 'ashlar-system'))?.spec.holderIdentity ?? ''
    await rig.addSidecar('csi-provisioner', 'provisioner-b')
    await cluster.until('the first leads', async () => (await holder()).startsWith('csi-provisioner'))
    await cluster.until('the second waits', async () => rig.sidecar('provisioner-b').log.includes('leader'))
    await rig.sidecar('csi-provisioner').kill()
    const claim = await cluster.claim()
    await requireOneVolume(claim)
    assert.match(await holder(), /^provisioner-b/)
    await rig.dismiss('provisioner-b')
    rig.sidecar('csi-provisioner').start()
    await cluster.until('the first leads again', async () => (await holder()).startsWith('csi-provisioner'))
  })
})

describe('an attacher that is killed', () => {
  it('while a volume is attached goes on, and while one is detached', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    await cluster.bound(claim)
    deaf()
    const published = cluster.nextAnswer('ControllerPublishVolume')
    const name = await cluster.schedule(claim, NODE)
    await published()
    await cluster.rig.sidecar('csi-attacher').restart()
    cluster.rig.relay.release()
    await cluster.node.run(name)
    await cluster.node.halt(name)
    deaf()
    const unpublished = cluster.nextAnswer('ControllerUnpublishVolume')
    await cluster.api.remove('Pod', name, { now: true })
    await unpublished()
    await cluster.rig.sidecar('csi-attacher').restart()
    cluster.rig.relay.release()
    await cluster.until('it is detached', async () => (await cluster.api.list('VolumeAttachment')).length === 0)
  })
})

describe('a resizer that is killed', () => {
  it('while a volume grows goes on with it', async () => {
    const { cluster } = bench
    const claim = await cluster.claim({ mode: 'Block', size: '8Mi' })
    await cluster.bound(claim)
    const pod = await cluster.run(claim, 'Block')
    deaf()
    const grown = cluster.nextAnswer('ControllerExpandVolume')
    await cluster.resize(claim, '16Mi')
    await grown()
    await cluster.rig.sidecar('csi-resizer').restart()
    cluster.rig.relay.release()
    await cluster.node.expand(pod.name)
    assert.equal(run('blockdev', '--getsize64', pod.path).trim(), String(16 * 1024 * 1024))
    await cluster.end(pod.name)
  })
})

describe('a snapshotter that is killed', () => {
  it('while a snapshot is taken goes on with it', async () => {
    const { cluster } = bench
    await cluster.api.create('VolumeSnapshotClass', snapshotClass('snapshots'))
    await cluster.api.create('StorageClass', storageClass('other'))
    const claim = await cluster.claim({ class: 'other' })
    await cluster.bound(claim)
    deaf()
    await cluster.api.create('VolumeSnapshot', {
      metadata: { name: 'taken' },
      spec: { volumeSnapshotClassName: 'snapshots', source: { persistentVolumeClaimName: claim } },
    })
    await cluster.until('the snapshot is taken', async () => cluster.inPool('snapshots').length > 0)
    await cluster.rig.sidecar('csi-snapshotter').restart()
    cluster.rig.relay.release()
    const content = await cluster.ready('taken')
    assert.deepEqual(cluster.inPool('snapshots'), [content.status.snapshotHandle])
  })
})
