// ControllerModifyVolume on a real kernel: what is stored, what /sys and the cgroups show afterwards, and what is told.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import type { Strings, TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench
const POD = '0b5e8f4c-1d2e-4f3a-9b8c-7d6e5f4a3b2c'

const modify = async ({ id }: TestVolume, mutable_parameters: Strings) =>
  await driver.call('Controller', 'ControllerModifyVolume', { volume_id: id, mutable_parameters })

const queueFile = ({ device }: TestVolume, name: string) => `/sys/block/${device.slice('/dev/'.length)}/queue/${name}`
const readAheadOf = (volume: TestVolume) => readFileSync(queueFile(volume, 'read_ahead_kb'), 'utf8').trim()
const conditionAt = async (volume: TestVolume, path: string) =>
  (await volume.stats<{ volume_condition: { abnormal: boolean; message: string } }>(path)).volume_condition
const IN_ORDER = { abnormal: false, message: 'the volume is in order' }

/** A target as kubelet names it for a pod. */
const targetOf = (pod: string): string => {
  const parent = join(bench.path('kubelet'), 'pods', pod, 'volumes', 'kubernetes.io~csi', 'pv')
  mkdirSync(parent, { recursive: true })
  return join(parent, 'mount')
}

test('check 31: a wrong key or value changes nothing, what is not named stays, and a killed driver forgets nothing', async () => {
  const volume = bench.volume()
  await refused(volume.create({ mutable_parameters: { iops: '1' } }), 'INVALID_ARGUMENT', /unknown key iops/)
  await volume.create({ mutable_parameters: { readIops: '1', discard: 'off' } })
  const published = async () => {
    const { read_iops, discard, read_ahead_kib } = (await volume.publish()).route
    return [read_iops, discard, read_ahead_kib]
  }
  assert.deepEqual(await published(), ['1', 'off', undefined])
  await refused(modify(volume, { readIops: '2', iops: '1' }), 'INVALID_ARGUMENT', /unknown key iops/)
  await refused(modify(volume, { readIops: '2', readAheadKiB: '130' }), 'INVALID_ARGUMENT', /readAheadKiB/)
  await refused(modify(volume, {}), 'INVALID_ARGUMENT', /mutable_parameters/)
  assert.deepEqual(await published(), ['1', 'off', undefined])
  await modify(volume, { readIops: '2' })
  await modify(volume, { readIops: '2', readAheadKiB: '132' })
  await driver.kill()
  await driver.start()
  assert.deepEqual(await published(), ['2', 'off', '132'])
})

for (const as of ['xfs', 'block'] as const) {
  test(`check 31: read-ahead of ${as} is in effect on the node, and a changed one from the next attach on`, async () => {
    const volume = bench.volume({ as })
    await volume.create({ mutable_parameters: { readAheadKiB: '516' } })
    await (await volume.publish()).stage()
    assert.equal(readAheadOf(volume), '516')
    // The attachment keeps what it was told, also for the next pod.
    await modify(volume, { readAheadKiB: '1028' })
    const target = await volume.publishAt(bench.path('pod'))
    assert.deepEqual([readAheadOf(volume), await conditionAt(volume, target)], ['516', IN_ORDER])
    // Growth makes the kernel look at the device anew, and whatever it forgets is said again.
    writeFileSync(queueFile(volume, 'read_ahead_kb'), '4')
    await volume.expand(2 * volume.size)
    await volume.expandOnNode(target)
    assert.equal(readAheadOf(volume), '516')

    await volume.unpublishAt(target)
    await volume.unstage()
    await volume.unpublish()
    await (await volume.publish()).stage()
    assert.equal(readAheadOf(volume), '1028')
    // What somebody else set meanwhile is told, and set right for the next pod.
    const first = await volume.publishAt(bench.path('pod'))
    writeFileSync(queueFile(volume, 'read_ahead_kb'), '4')
    const { abnormal, message } = await conditionAt(volume, first)
    assert.ok(!abnormal)
    assert.match(message, /readAheadKiB 1028 is not in effect/)
    assert.deepEqual(await conditionAt(volume, await volume.publishAt(bench.path('pod'))), IN_ORDER)
  })
}

test('check 31: a loop number is not left without discards for the next volume: that is told instead', async () => {
  const volume = await bench.volume().create({ mutable_parameters: { discard: 'off' } })
  await (await volume.publish()).stage()
  const target = await volume.publishAt(bench.path('pod'))
  assert.notEqual(readFileSync(queueFile(volume, 'discard_max_bytes'), 'utf8').trim(), '0')
  const { abnormal, message } = await conditionAt(volume, target)
  assert.ok(!abnormal)
  assert.match(message, /in order; discard off is not in effect on .*loop.*: a loop device would keep it/)
})

/** Where the kernel has cgroups of version 2 with the I/O controller, if it has. */
const findRoot = (): string | undefined =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter(line => line.includes(' - cgroup2 '))
    .map(line => line.split(' ')[4] ?? '')
    .find(path => readFileSync(join(path, 'cgroup.controllers'), 'utf8').split(/\s/).includes('io'))

/** Makes the cgroup of the pod as kubelet does; fails where kubelet itself is at work. */
const makeCgroup = (root: string): string => {
  const [top, pod] = [join(root, 'kubelet'), join(root, 'kubelet', 'kubepods', `pod${POD}`)]
  assert.ok(!existsSync(top), `${top} is somebody else's`)
  let above = root
  for (const path of [top, join(top, 'kubepods'), pod]) {
    writeFileSync(join(above, 'cgroup.subtree_control'), '+io')
    mkdirSync(path)
    bench.defer(() => rmdirSync(path))
    above = path
  }
  return pod
}

test('check 31: a limit is in the cgroup of the pod, or the condition tells why not', async () => {
  const root = findRoot()
  const cgroup = root === undefined ? undefined : makeCgroup(root)
  const volume = await bench
    .volume()
    .create({ mutable_parameters: { readIops: '100', writeBytesPerSecond: '1048576' } })
  await (await volume.publish()).stage()
  const target = await volume.publishAt(targetOf(POD))
  writeFileSync(join(target, 'file'), 'data', { flush: true })
  const { abnormal, message } = await conditionAt(volume, target)
  assert.ok(!abnormal)
  if (cgroup === undefined) {
    assert.match(message, /^the volume is in order; readIops, writeBytesPerSecond not enforced: /)
    assert.match(message, /: (the node has cgroups of version 1, where .*|no cgroups with an I\/O controller .*)$/)
    assert.match(driver.log, /"shortfalls":\["readIops, writeBytesPerSecond not enforced: /)
    return
  }
  const number = readFileSync(`/sys/block/${volume.device.slice('/dev/'.length)}/dev`, 'utf8').trim()
  assert.equal(message, IN_ORDER.message)
  assert.equal(readFileSync(join(cgroup, 'io.max'), 'utf8'), `${number} rbps=max wbps=1048576 riops=100 wiops=max\n`)
})
