// Wrong devices: a number that changed hands, images that were swapped, other sector sizes, a device that shrank or went read-only.
import assert from 'node:assert/strict'
import { copyFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { stageVolume } from '../../src/node/stage-volume.ts'
import { failure, MOUNT, testOp } from '../fixtures.ts'
import { refused, sitesOf, useDriver } from './harness.ts'
import { attachHigh, backingOf, differences, loopsBelow, mountsAt, poke, run, sha256 } from './machine.ts'
import { MIB, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench
const op = testOp()

const detach = (device: string) => backingOf(device) !== undefined && run('losetup', '--detach', device)

/** Gives the number of a device to another volume. */
const handOver = (device: string, other: TestVolume) => {
  run('losetup', '--detach', device)
  run('losetup', device, other.data)
}

const requestOf = ({ id, staging, route, context }: TestVolume) => ({
  id,
  stagingPath: staging,
  capability: { ...MOUNT, fsType: 'ext4' as const },
  publishContext: route,
  volumeContext: context,
})

test('a bound device node whose number was given to another volume shows nobody the other’s data', async () => {
  const [volume, other] = [await bench.volume({ as: 'block' }).create(), await bench.volume({ as: 'block' }).create()]
  const device = attachHigh(volume.data)
  await volume.publish()
  assert.equal(volume.device, device)
  await volume.stage()
  const target = await volume.publishAt(bench.path('t'))
  poke(other.data, [0, 'theirs'])
  // The driver detaches no device that is bound; only somebody at the console does.
  await refused(volume.unstage(), 'FAILED_PRECONDITION', /published at/)
  await refused(volume.unpublish(), 'FAILED_PRECONDITION', /mounted at/)
  handOver(device, other)
  bench.defer(() => {
    run('umount', target)
    detach(device)
  })
  const before = sha256(other.data)
  await refused(volume.stats(target), 'NOT_FOUND')
  await refused(volume.stats(device), 'NOT_FOUND')
  await refused(volume.publishAt(target), 'FAILED_PRECONDITION')
  await refused(volume.expandOnNode(target), 'NOT_FOUND')
  await refused(volume.unpublishAt(target), 'FAILED_PRECONDITION', new RegExp(other.id))
  assert.equal(sha256(other.data), before)
})

test('images that were swapped beneath their volumes are told by their filesystems', async () => {
  const [volume, other] = [await bench.volume().up(), await bench.volume().up()]
  for (const each of [volume, other]) {
    writeFileSync(join(each.staging, 'whose'), each.name)
    await each.unstage()
  }
  const swap = () => {
    const saved = bench.path('saved')
    copyFileSync(volume.data, saved)
    copyFileSync(other.data, volume.data)
    copyFileSync(saved, other.data)
    run('rm', saved)
  }
  swap()
  const before = [sha256(volume.data), sha256(other.data)]
  for (const each of [volume, other])
    await refused(each.stage(), 'FAILED_PRECONDITION', /its filesystem has UUID .* this volume’s is/)
  assert.deepEqual([sha256(volume.data), sha256(other.data)], before)
  swap()
  for (const each of [volume, other]) {
    await each.stage()
    assert.equal(readFileSync(join(each.staging, 'whose'), 'utf8'), each.name)
  }
})

for (const as of ['ext4', 'xfs'] as const) {
  test(`a device of ${as} that was attached with another sector size is attached anew with its own`, async () => {
    const volume = await bench.volume({ as }).up()
    writeFileSync(join(volume.staging, 'file'), 'data')
    await volume.unstage()
    run('losetup', '--find', '--sector-size', '4096', '--show', volume.data)
    await volume.publish()
    await volume.stage()
    const [{ path = '' } = {}, ...more] = loopsBelow(volume.data)
    assert.deepEqual(more, [])
    assert.equal(Number(run('blockdev', '--getss', path)), 512)
    assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  })

  test(`${as} that is larger than its device is neither mounted nor shrunk`, async () => {
    const size = as === 'ext4' ? 128 * MIB : 640 * MIB
    const volume = await bench.volume({ as, size }).up()
    writeFileSync(join(volume.staging, 'file'), 'data')
    await volume.unstage()
    await volume.unpublish()
    const whole = bench.path('whole')
    run('cp', '--sparse=always', volume.data, whole)
    bench.defer(() => run('rm', '--force', whole))
    truncateSync(volume.data, size / 2)
    // The controller tells the size that the file has: nothing between here and the filesystem could notice.
    await volume.publish()
    const before = bench.path('before')
    run('cp', '--sparse=always', volume.data, before)
    bench.defer(() => run('rm', '--force', before))
    const mark = driver.log.length
    await refused(volume.stage(), 'FAILED_PRECONDITION')
    // e2fsck notes in the superblock that a person is needed; nothing else is touched.
    assert.deepEqual(
      differences(volume.data, before).filter(at => at < 1024 || at >= 2048),
      [],
    )
    assert.ok(!driver.commands(mark).some(each => /resize2fs|xfs_growfs|mkfs/.test(each)))
    await volume.unpublish()
    run('cp', '--sparse=always', whole, volume.data)
    assert.equal(statSync(volume.data).size, size)
    await volume.publish()
    await volume.stage()
    assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  })
}

test('a writable volume is never mounted read-only because its device is write-protected', async () => {
  const volume = await bench.volume().up()
  writeFileSync(join(volume.staging, 'file'), 'data')
  await volume.unstage()
  const device = attachHigh(volume.data)
  // The flag belongs to the number and outlives what is attached to it.
  bench.defer(() => run('blockdev', '--setrw', device))
  run('blockdev', '--setro', device)
  await volume.publish()
  await volume.stage()
  writeFileSync(join(volume.staging, 'file'), 'more')
  await volume.unstage()
  run('blockdev', '--setrw', device)

  // As late as it can happen: mount(8) alone would fall back to read-only, and answer 0.
  attachHigh(volume.data)
  await volume.publish()
  const { node } = await sitesOf(driver, (_text, { file }) => {
    if (file === 'mount') run('blockdev', '--setro', volume.device)
    return undefined
  })
  await assert.rejects(stageVolume(node, requestOf(volume), op), failure('failed-precondition', /mount/))
  assert.deepEqual(mountsAt(volume.staging), [])
  assert.equal(backingOf(volume.device), volume.data, 'it is published still')
  run('blockdev', '--setrw', volume.device)
  await volume.stage()
  assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'more')
})

test('a number that somebody left write-protected serves a writable volume', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  detach(volume.device)
  // Whoever asks for any number gets the lowest; this one is put into the driver's hands.
  const device = attachHigh(volume.data)
  bench.defer(() => run('blockdev', '--setrw', device))
  run('blockdev', '--setro', device)
  detach(device)
  const { node } = await sitesOf(driver, text => {
    if (!/losetup --find/.test(text)) return undefined
    run('losetup', '--direct-io=on', device, volume.data)
    assert.equal(run('blockdev', '--getro', device).trim(), '1', 'the flag outlives what was attached')
    return { stdout: `${device}\n` }
  })
  await stageVolume(node, requestOf(volume), op)
  writeFileSync(join(volume.staging, 'file'), 'data')
})

/**
 * A number changes hands while a volume is staged: after the proof of its identity, when the first of these commands is
 * about to run. What is on the other volume may look exactly as what the permit wants.
 */
const HAND_OVERS: Record<string, { at: RegExp; after?: RegExp; holds: 'ext4' | 'nothing'; ends: RegExp }> = {
  'the first look at it': { at: /^dd .*if=/, holds: 'ext4', ends: /RefusesToFormat.*UUID|WrongDevice/ },
  'the probe of an ext4': { at: /--flushbufs/, holds: 'ext4', ends: /RefusesToFormat.*UUID/ },
  'the end of the probe of a blank one': { at: /^wipefs/, holds: 'nothing', ends: /WrongDevice/ },
  'the look at its marks': { at: /^xfs_io/, after: /^dd .*of=/, holds: 'nothing', ends: /EffectMissing/ },
  e2fsck: { at: /e2fsck/, holds: 'ext4', ends: /WrongDevice/ },
  mount: { at: /^mount/, holds: 'ext4', ends: /VolumeInUse/ },
}

for (const [when, { at, after, holds, ends }] of Object.entries(HAND_OVERS)) {
  test(`a number that changes hands before ${when}: the other volume is neither formatted nor kept mounted`, async () => {
    const [volume, other] = [await bench.volume().create(), await bench.volume().create()]
    await other.publish()
    if (holds === 'ext4') {
      await other.stage()
      writeFileSync(join(other.staging, 'file'), 'theirs')
      await other.unstage()
    }
    await other.unpublish()
    const device = attachHigh(volume.data)
    await volume.publish()
    assert.equal(volume.device, device)
    const before = sha256(other.data)
    let done = false
    let isTime = after === undefined
    const { node } = await sitesOf(driver, text => {
      isTime ||= after?.test(text) === true
      if (done || !isTime || !at.test(text)) return undefined
      done = true
      handOver(device, other)
      return undefined
    })
    const end = await stageVolume(node, requestOf(volume), op).then(
      () => 'OK',
      (error: unknown) => String(error),
    )
    bench.defer(() => detach(device))
    assert.ok(done, 'the command ran')
    assert.match(end, ends)
    assert.deepEqual(mountsAt(volume.staging), [])
    if (when !== 'mount') assert.equal(sha256(other.data), before, end)
    detach(device)
    await other.publish()
    await other.stage()
    if (holds === 'ext4') assert.equal(readFileSync(join(other.staging, 'file'), 'utf8'), 'theirs')
  })
}

test('what is written to a volume does not stay in the page cache of the pool', async () => {
  const volume = await bench.volume({ as: 'block' }).up()
  const kname = volume.device.slice('/dev/'.length)
  assert.equal(readFileSync(`/sys/block/${kname}/loop/dio`, 'utf8').trim(), '1')
  run('dd', 'if=/dev/zero', `of=${volume.device}`, 'bs=1M', 'count=32', 'oflag=direct', 'status=none')
  const cached = Number(run('fincore', '--bytes', '--noheadings', '--output', 'RES', volume.data))
  assert.ok(cached < 4 * MIB, `${cached} bytes`)
})
