// Snapshots, restores and clones as users ask for them, in every order of deletion.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, it } from 'node:test'
import type { KubeObject } from '../../hack/kube/api.ts'
import { run } from '../loop/machine.ts'
import { useCluster } from './cluster.ts'
import { MIB, snapshotClass, storageClass } from './objects.ts'

const bench = useCluster()
const SNAPSHOTS = 'snapshots'
const XFS = 'xfs'

beforeEach(async () => {
  const { api } = bench.cluster
  await api.create('VolumeSnapshotClass', snapshotClass(SNAPSHOTS))
  await api.create('StorageClass', storageClass(XFS, { parameters: { 'csi.storage.k8s.io/fstype': 'xfs' } }))
})

/** A claim with a file in it, and the pod that has it. */
const written = async (text: string) => {
  const { cluster } = bench
  const claim = await cluster.claim({ class: XFS, size: '320Mi' })
  await cluster.bound(claim)
  const pod = await cluster.run(claim)
  write(pod.path, text)
  return { claim, pod }
}

/** On the disk, not only in the cache of the filesystem: a snapshot is what the disk has. */
const write = (folder: string, text: string): void => {
  writeFileSync(join(folder, 'file'), text, { flush: true })
  run('sync', '--file-system', folder)
}

const contentOf = async (claim: string): Promise<string> => {
  const { cluster } = bench
  await cluster.bound(claim)
  const pod = await cluster.run(claim)
  const text = readFileSync(join(pod.path, 'file'), 'utf8')
  await cluster.end(pod.name)
  return text
}

const restore = async (snapshot: string, size = '320Mi'): Promise<string> =>
  await bench.cluster.claim({ class: XFS, size, source: { kind: 'VolumeSnapshot', name: snapshot } })

describe('a snapshot', () => {
  it('of a volume in use is taken and restored, beside the volume', async () => {
    const { cluster } = bench
    const { claim, pod } = await written('then')
    const content = await cluster.snapshot(claim, SNAPSHOTS, 'taken')
    assert.deepEqual(cluster.inPool('snapshots'), [content.status.snapshotHandle])
    assert.equal(content.status.restoreSize, 320 * MIB)
    write(pod.path, 'now')
    assert.equal(await contentOf(await restore('taken')), 'then')
    assert.equal(readFileSync(join(pod.path, 'file'), 'utf8'), 'now')
    await cluster.end(pod.name)
  })

  it('is restored to a larger volume, whose filesystem has that size', async () => {
    const { cluster } = bench
    const { claim, pod } = await written('small')
    await cluster.snapshot(claim, SNAPSHOTS, 'small')
    await cluster.end(pod.name)
    const larger = await restore('small', '640Mi')
    const { spec } = await cluster.bound(larger)
    assert.equal(spec.capacity.storage, '640Mi')
    const restored = await cluster.run(larger)
    assert.equal(readFileSync(join(restored.path, 'file'), 'utf8'), 'small')
    const size = Number(run('df', '--block-size=1', '--output=size', restored.path).trim().split('\n').at(-1))
    assert.ok(size > 500 * MIB, String(size))
    await cluster.end(restored.name)
  })

  it('outlives its volume, and is restored after that', async () => {
    const { cluster } = bench
    const { claim, pod } = await written('kept')
    const content = await cluster.snapshot(claim, SNAPSHOTS, 'kept')
    await cluster.end(pod.name)
    const { metadata } = await cluster.bound(claim)
    await cluster.remove('PersistentVolumeClaim', claim)
    await cluster.gone('PersistentVolume', metadata.name)
    assert.deepEqual(cluster.inPool('volumes'), [])
    const restored = await restore('kept')
    assert.equal(await contentOf(restored), 'kept')
    await cluster.remove('VolumeSnapshot', 'kept')
    await cluster.gone('VolumeSnapshotContent', content.metadata.name)
    assert.deepEqual(cluster.inPool('snapshots'), [])
    assert.equal(await contentOf(restored), 'kept')
  })

  it('of a volume that is not there says so, and is none', async () => {
    const { cluster } = bench
    await cluster.api.create('VolumeSnapshot', {
      metadata: { name: 'empty' },
      spec: { volumeSnapshotClassName: SNAPSHOTS, source: { persistentVolumeClaimName: 'nobody' } },
    })
    // In the status: the event of a snapshot-controller whose first word came too late is about no object.
    let status: KubeObject
    await cluster.until('the snapshot says why', async () => {
      ;({ status } = await cluster.api.get('VolumeSnapshot', 'empty'))
      return status?.error?.message !== undefined
    })
    assert.match(status.error.message, /cannot get claim from snapshot/)
    assert.equal(status.readyToUse, false)
    assert.deepEqual(await cluster.api.list('VolumeSnapshotContent'), [])
    assert.deepEqual(cluster.inPool('snapshots'), [])
  })

  it('of a filesystem is not restored to a smaller volume', async () => {
    const { cluster } = bench
    const { claim, pod } = await written('large')
    await cluster.snapshot(claim, SNAPSHOTS, 'large')
    await cluster.end(pod.name)
    const smaller = await restore('large', '300Mi')
    await cluster.event(smaller, 'ProvisioningFailed', /size/)
    assert.equal(cluster.inPool('volumes').length, 1)
  })
})

describe('a clone', () => {
  it('of a volume in use has its data, and a life of its own', async () => {
    const { cluster } = bench
    const { claim, pod } = await written('original')
    const clone = await cluster.claim({
      class: XFS,
      size: '320Mi',
      source: { kind: 'PersistentVolumeClaim', name: claim },
    })
    await cluster.bound(clone)
    write(pod.path, 'changed')
    const second = await cluster.run(clone)
    assert.equal(readFileSync(join(second.path, 'file'), 'utf8'), 'original')
    // Both are mounted on one node: a filesystem that bore the UUID of the other could not be.
    assert.equal(readFileSync(join(pod.path, 'file'), 'utf8'), 'changed')
    await cluster.end(pod.name)
    await cluster.remove('PersistentVolumeClaim', claim)
    assert.equal(readFileSync(join(second.path, 'file'), 'utf8'), 'original')
    await cluster.end(second.name)
  })
})
