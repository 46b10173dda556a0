// The lives of claims: bound, attached, mounted, detached and deleted by the real controllers of Kubernetes.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { mountsAt, peek, poke, run } from '../loop/machine.ts'
import { useCluster } from './cluster.ts'
import { bytesOf } from './kubelet.ts'
import { DRIVER_NAME, NODE, OTHER_NODE } from './names.ts'
import { MIB, storageClass } from './objects.ts'

const bench = useCluster()

for (const [fsType, size] of [
  ['ext4', '64Mi'],
  ['xfs', '320Mi'],
] as const) {
  describe(`a claim with ${fsType}`, () => {
    it('is bound, attached, mounted, detached and deleted', async () => {
      const { cluster } = bench
      const className = cluster.name(`class-${fsType}`)
      const parameters = { 'csi.storage.k8s.io/fstype': fsType }
      await cluster.api.create('StorageClass', storageClass(className, { parameters }))
      const claim = await cluster.claim({ class: className, size })
      const volume = await cluster.bound(claim)
      assert.equal(volume.spec.csi.driver, DRIVER_NAME)
      assert.equal(volume.spec.csi.fsType, fsType)
      assert.deepEqual(cluster.inPool('volumes'), [volume.spec.csi.volumeHandle])

      const { name: pod, path } = await cluster.run(claim)
      assert.deepEqual(
        mountsAt(path).map(mount => mount.fsType),
        [fsType],
      )
      writeFileSync(join(path, 'file'), 'of the first pod')
      await cluster.end(pod)
      await cluster.until('nothing is attached', async () => (await cluster.api.list('VolumeAttachment')).length === 0)

      const second = await cluster.run(claim)
      assert.equal(readFileSync(join(second.path, 'file'), 'utf8'), 'of the first pod')
      await cluster.end(second.name)
      await cluster.remove('PersistentVolumeClaim', claim)
      await cluster.gone('PersistentVolume', volume.metadata.name)
      assert.deepEqual(cluster.inPool('volumes'), [])
    })
  })
}

describe('a claim for a block device', () => {
  it('is bound, attached, published as a device, detached and deleted', async () => {
    const { cluster } = bench
    const claim = await cluster.claim({ mode: 'Block', size: '8Mi' })
    const volume = await cluster.bound(claim)
    assert.equal(volume.spec.volumeMode, 'Block')
    const { name: pod, path } = await cluster.run(claim, 'Block')
    assert.ok(statSync(path).isBlockDevice())
    assert.equal(run('blockdev', '--getsize64', path).trim(), String(8 * MIB))
    poke(path, [MIB, 'of the first pod'])
    await cluster.end(pod)
    await cluster.until('nothing is attached', async () => (await cluster.api.list('VolumeAttachment')).length === 0)
    const second = await cluster.run(claim, 'Block')
    assert.equal(peek(second.path, MIB, 16).toString(), 'of the first pod')
    await cluster.end(second.name)
  })
})

describe('a claim that waits for its first consumer', () => {
  it('gets its volume where the scheduler put the pod, and says so in its affinity', async () => {
    const { cluster } = bench
    const className = cluster.name('class-late')
    await cluster.api.create('StorageClass', storageClass(className, { volumeBindingMode: 'WaitForFirstConsumer' }))
    const claim = await cluster.claim({ class: className })
    await cluster.event(claim, 'WaitForFirstConsumer', /./)
    assert.deepEqual(cluster.inPool('volumes'), [])
    // What the scheduler writes when it has chosen a node for the pod.
    const annotations = { 'volume.kubernetes.io/selected-node': NODE }
    await cluster.api.patch('PersistentVolumeClaim', claim, { metadata: { annotations } })
    const { spec } = await cluster.bound(claim)
    const [term] = spec.nodeAffinity.required.nodeSelectorTerms
    assert.deepEqual(term.matchExpressions, [{ key: `${DRIVER_NAME}/node`, operator: 'In', values: [NODE] }])
  })

  it('gets none for a node that the pool is not on', async () => {
    const { cluster } = bench
    const className = cluster.name('class-late')
    await cluster.api.create('StorageClass', storageClass(className, { volumeBindingMode: 'WaitForFirstConsumer' }))
    const claim = await cluster.claim({ class: className })
    const annotations = { 'volume.kubernetes.io/selected-node': OTHER_NODE }
    await cluster.api.patch('PersistentVolumeClaim', claim, { metadata: { annotations } })
    await cluster.event(claim, 'ProvisioningFailed', /ResourceExhausted/)
    await cluster.until('the scheduler is asked for another node', async () => {
      const { metadata } = await cluster.api.get('PersistentVolumeClaim', claim)
      return metadata.annotations['volume.kubernetes.io/selected-node'] === undefined
    })
    assert.deepEqual(cluster.inPool('volumes'), [])
  })
})

describe('a StorageClass', () => {
  it('with a parameter that does not exist gives an event that names it, and no volume', async () => {
    const { cluster } = bench
    const className = cluster.name('class-wrong')
    await cluster.api.create('StorageClass', storageClass(className, { parameters: { flavour: 'vanilla' } }))
    const claim = await cluster.claim({ class: className })
    const { message } = await cluster.event(claim, 'ProvisioningFailed', /flavour/)
    assert.match(message, /InvalidArgument/)
    assert.match(message, /the keys are pool, transport/)
    const { status } = await cluster.api.get('PersistentVolumeClaim', claim)
    assert.equal(status.phase, 'Pending')
    assert.deepEqual(cluster.inPool('volumes'), [])
  })

  it('that retains keeps the volume, which another claim can have with its data', async () => {
    const { cluster } = bench
    const className = cluster.name('class-retain')
    await cluster.api.create('StorageClass', storageClass(className, { reclaimPolicy: 'Retain' }))
    const first = await cluster.claim({ class: className })
    const volume = await cluster.bound(first)
    const { name: pod, path } = await cluster.run(first)
    writeFileSync(join(path, 'file'), 'retained')
    await cluster.end(pod)
    await cluster.remove('PersistentVolumeClaim', first)
    const { name } = volume.metadata
    await cluster.until('the volume is released', async () => {
      return (await cluster.api.get('PersistentVolume', name)).status.phase === 'Released'
    })
    assert.deepEqual(cluster.inPool('volumes'), [volume.spec.csi.volumeHandle])

    await cluster.api.patch('PersistentVolume', name, { spec: { claimRef: null } })
    const second = await cluster.claim({ class: className, volume: name })
    await cluster.bound(second)
    // Not before: a provisioner deletes what is Delete and still called Released.
    await cluster.api.patch('PersistentVolume', name, { spec: { persistentVolumeReclaimPolicy: 'Delete' } })
    const again = await cluster.run(second)
    assert.equal(readFileSync(join(again.path, 'file'), 'utf8'), 'retained')
    await cluster.end(again.name)
  })

  it('has a CSIStorageCapacity that says what GetCapacity says', async () => {
    const { cluster } = bench
    const className = cluster.name('class-capacity')
    await cluster.api.create('StorageClass', storageClass(className, { volumeBindingMode: 'WaitForFirstConsumer' }))
    const request = { accessible_topology: { segments: { [`${DRIVER_NAME}/node`]: NODE } } }
    await cluster.until(`the capacity of ${className} is published`, async () => {
      const objects = await cluster.api.list('CSIStorageCapacity', 'ashlar-system')
      const mine = objects.find(
        each => each.storageClassName === className && each.nodeTopology.matchLabels[`${DRIVER_NAME}/node`] === NODE,
      )
      const { available_capacity: available } = await cluster.driver.call<{ available_capacity: string }>(
        'Controller',
        'GetCapacity',
        request,
      )
      return mine !== undefined && bytesOf(mine.capacity) === Number(available)
    })
    const elsewhere = (await cluster.api.list('CSIStorageCapacity', 'ashlar-system')).filter(
      each =>
        each.storageClassName === className && each.nodeTopology.matchLabels[`${DRIVER_NAME}/node`] === OTHER_NODE,
    )
    for (const each of elsewhere) assert.equal(bytesOf(each.capacity), 0)
    await cluster.remove('StorageClass', className)
  })
})

describe('a claim that asks for more', () => {
  it('grows while its pod runs: the controller, then the node', async () => {
    const { cluster } = bench
    const className = cluster.name('class-xfs')
    const parameters = { 'csi.storage.k8s.io/fstype': 'xfs' }
    await cluster.api.create('StorageClass', storageClass(className, { parameters }))
    const claim = await cluster.claim({ class: className, size: '320Mi' })
    await cluster.bound(claim)
    const { name: pod, path } = await cluster.run(claim)
    const before = sizeOf(path)
    await cluster.resize(claim, '512Mi')
    await cluster.node.expand(pod)
    assert.ok(sizeOf(path) >= before + 150 * MIB, `${before} and now ${sizeOf(path)}`)
    const { spec } = await cluster.bound(claim)
    assert.equal(spec.capacity.storage, '512Mi')
    await cluster.resized(claim, '512Mi')
    await cluster.end(pod)
  })

  it('grows as a block device too', async () => {
    const { cluster } = bench
    const claim = await cluster.claim({ mode: 'Block', size: '8Mi' })
    await cluster.bound(claim)
    const { name: pod, path } = await cluster.run(claim, 'Block')
    await cluster.resize(claim, '12Mi')
    await cluster.node.expand(pod)
    assert.equal(run('blockdev', '--getsize64', path).trim(), String(12 * MIB))
    await cluster.end(pod)
  })

  it('than the pool can hold gets an event, and keeps working', async () => {
    const { cluster } = bench
    const claim = await cluster.claim({ mode: 'Block', size: '8Mi' })
    await cluster.bound(claim)
    await cluster.api.patch('PersistentVolumeClaim', claim, {
      spec: { resources: { requests: { storage: '9000Gi' } } },
    })
    await cluster.event(claim, 'VolumeResizeFailed', /OutOfRange|ResourceExhausted/)
    const { path, name } = await cluster.run(claim, 'Block')
    assert.ok(existsSync(path))
    await cluster.end(name)
  })
})

const sizeOf = (path: string): number =>
  Number(run('df', '--block-size=1', '--output=size', path).trim().split('\n').at(-1))
