// A real kubelet and real containers: what pods find of what pods wrote.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, it } from 'node:test'
import { mountsAt } from '../loop/machine.ts'
import { useCluster } from './cluster.ts'
import { DRIVER_NAME, NODE } from './names.ts'
import { snapshotClass, storageClass } from './objects.ts'
import { RealCluster } from './real-cluster.ts'

const bench = useCluster(() => new RealCluster())
const XFS = 'xfs'
/** What a pod is asked for. */
const TELL = '> /dev/termination-log'

beforeEach(async () => {
  const parameters = { 'csi.storage.k8s.io/fstype': 'xfs' }
  await bench.cluster.api.create('StorageClass', storageClass(XFS, { parameters }))
})

describe('the node', () => {
  it('keeps no mount of the host in use but what is below its own folder', () => {
    const { driver, real } = bench.cluster
    const mounts = readFileSync(`/proc/${real.kubeletPid}/mounts`, 'utf8').split('\n')
    const places = mounts.map(line => line.split(' ')[1] ?? '')
    assert.ok(places.includes(join(driver.folder, 'kubelet')))
    // There was one before the node came.
    const pool = realpathSync(driver.pool)
    assert.ok(mountsAt(pool).length > 0)
    assert.ok(!places.includes(pool))
    const foreign = places.filter(place => place !== '' && !/^\/($|proc|sys|dev|run|var\/log)/.test(place))
    assert.deepEqual(
      foreign.filter(place => !place.startsWith(`${driver.folder}/kubelet`)),
      [],
    )
  })
})

describe('kubelet', () => {
  it('takes the driver, and says so in CSINode and labels', async () => {
    const { cluster } = bench
    const { spec } = await cluster.api.get('CSINode', NODE)
    const plugin = spec.drivers.find((each: { name: string }) => each.name === DRIVER_NAME)
    const info = await cluster.driver.call<{ node_id: string }>('Node', 'NodeGetInfo')
    assert.equal(plugin.nodeID, info.node_id)
    assert.ok(plugin.topologyKeys.length > 0)
    const { metadata } = await cluster.api.get('Node', NODE)
    for (const key of plugin.topologyKeys) assert.ok(metadata.labels[key], key)
  })

  for (const [fsType, storage] of [
    ['ext4', { class: 'ashlar', size: '64Mi' }],
    ['xfs', { class: XFS, size: '320Mi' }],
  ] as const) {
    it(`gives a pod a volume with ${fsType}, and the next pod what the first wrote`, async () => {
      const { cluster } = bench
      const claim = await cluster.claim(storage)
      const first = await cluster.work(claim, { script: 'echo kept > /data/file; sync' })
      await cluster.result(first)
      const second = await cluster.work(claim, { script: `cat /data/file ${TELL}` })
      assert.equal(await cluster.result(second), 'kept')
    })
  }

  it('gives a pod a device, and the next pod what the first wrote', async () => {
    const { cluster } = bench
    const claim = await cluster.claim({ mode: 'Block', size: '8Mi' })
    const first = await cluster.work(claim, { mode: 'Block', script: 'echo of the first | dd of=/dev/data conv=fsync' })
    await cluster.result(first)
    const second = await cluster.work(claim, { mode: 'Block', script: `dd if=/dev/data bs=12 count=1 ${TELL}` })
    assert.equal(await cluster.result(second), 'of the first')
  })

  it('gives the volume to the group of a pod that is not root', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    const script = `touch /data/mine; stat -c '%u %g' /data/mine ${TELL}`
    assert.equal(await cluster.result(await cluster.work(claim, { fsGroup: 1234, script })), '1234 1234')
  })

  it('grows a volume under a pod that waits for it', async () => {
    const { cluster } = bench
    const claim = await cluster.claim({ class: XFS, size: '320Mi' })
    const blocks = '$(stat -f -c %b /data)'
    const script = `before=${blocks}; touch /data/begun; until [ ${blocks} -gt $before ]; do sleep 0.2; done`
    const pod = await cluster.work(claim, { script })
    await cluster.begun(pod)
    await cluster.resize(claim, '400Mi')
    await cluster.resized(claim, '400Mi')
    await cluster.result(pod)
  })

  it('that is killed disturbs no pod, and takes its volume down when it is back', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    const script =
      'n=0; true > /data/log; touch /data/begun; until [ -e /data/stop ]; do n=$((n + 1)); echo $n >> /data/log; done; echo $n'
    const pod = await cluster.work(claim, { script: `(${script}) ${TELL}` })
    const folder = await cluster.begun(pod)
    const log = join(folder, 'log')
    const lines = (): number => readFileSync(log, 'utf8').split('\n').length - 1
    process.kill(cluster.real.kubeletPid, 'SIGKILL')
    const before = lines()
    await cluster.until('the pod goes on', async () => lines() > before + 100)
    writeFileSync(join(folder, 'stop'), '')
    const last = Number(await cluster.result(pod))
    const reader = await cluster.work(claim, {
      script: `cat /data/log | while read n; do last=$n; done; stat -c %s /data/log ${TELL}`,
    })
    const expected = Array.from({ length: last }, (_, n) => `${n + 1}\n`).join('').length
    assert.equal(Number(await cluster.result(reader)), expected)
    assert.ok(!existsSync(folder), 'the first pod has its volume still')
  })

  it('waits for a driver that is dead, and goes on when it is back', async () => {
    const { cluster } = bench
    const claim = await cluster.claim()
    await cluster.bound(claim)
    // It takes kubelet's calls, and answers none.
    process.kill(cluster.driver.pid('node'), 'SIGSTOP')
    const pod = await cluster.work(claim, { script: `echo in spite of all > /data/file; cat /data/file ${TELL}` })
    await cluster.until('the volume is attached', async () =>
      (await cluster.api.list('VolumeAttachment')).some(({ status }) => status?.attached === true),
    )
    await cluster.driver.kill()
    await cluster.event(pod, 'FailedMount', /./)
    await cluster.driver.start()
    assert.equal(await cluster.result(pod), 'in spite of all')
  })

  it('gives a pod what a snapshot took of a volume in use', async () => {
    const { cluster } = bench
    await cluster.api.create('VolumeSnapshotClass', snapshotClass('snapshots'))
    const claim = await cluster.claim({ class: XFS, size: '320Mi' })
    const script = 'echo then > /data/file; sync; touch /data/begun; until [ -e /data/stop ]; do sleep 0.2; done'
    const pod = await cluster.work(claim, { script })
    const folder = await cluster.begun(pod)
    await cluster.snapshot(claim, 'snapshots', 'taken')
    writeFileSync(join(folder, 'file'), 'now')
    const source = { kind: 'VolumeSnapshot', name: 'taken' } as const
    const restored = await cluster.claim({ class: XFS, size: '320Mi', source })
    assert.equal(await cluster.result(await cluster.work(restored, { script: `cat /data/file ${TELL}` })), 'then')
    writeFileSync(join(folder, 'stop'), '')
    await cluster.result(pod)
  })
})
