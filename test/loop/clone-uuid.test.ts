// A copy of a volume gets a filesystem UUID of its own, once, beside its source: nothing is lost, and no step can be missed.
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { stageVolume } from '../../src/node/stage-volume.ts'
import type { FsType } from '../../src/volume/capability.ts'
import { filesystemUuid } from '../../src/volume/ids.ts'
import { MOUNT, testOp } from '../fixtures.ts'
import { refused, sitesOf, useDriver } from './harness.ts'
import { loopsBelow, mountsAt, run, sha256 } from './machine.ts'
import { capabilityOf, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

const TOOLS = /tune2fs|xfs_admin|nouuid/

/** As the kernel and blkid read it now, past the caches. */
const uuidOf = (path: string): string => {
  const device = path.startsWith('/dev/')
  if (device) run('blockdev', '--flushbufs', path)
  return /^UUID=(.*)$/m.exec(run('blkid', '--probe', '--output', 'export', path))?.[1] ?? ''
}

/** Its present device: after an unstage the next stage may get another number than the publish had. */
const deviceOf = ({ data }: TestVolume): string => loopsBelow(data)[0]?.path ?? ''

/** A source that is mounted, with files and with a journal that was not put away. */
const source = async (as: FsType): Promise<TestVolume> => {
  const volume = await bench.volume({ as }).up()
  writeFileSync(join(volume.staging, 'bytes'), randomBytes(3 * 1024 * 1024))
  for (let n = 0; n < 20; n += 1) writeFileSync(join(volume.staging, `file-${n}`), `${n}`)
  run('sync', '--file-system', volume.staging)
  return volume
}

/** What CreateVolume does where files can be cloned, by hand: of a volume in use, whatever holds the pool. */
const copyOf = async (from: TestVolume, { size = from.size, image = from.data } = {}): Promise<TestVolume> => {
  const volume = await bench.volume({ as: capabilityAs(from), size }).create()
  const document = join(dirname(volume.data), 'volume.json')
  const { content, ...rest } = JSON.parse(readFileSync(document, 'utf8')) as { content: object }
  writeFileSync(document, JSON.stringify({ ...rest, content: { ...content, contentFrom: from.id } }))
  run('cp', '--reflink=never', '--sparse=always', image, volume.data)
  truncateSync(volume.data, size)
  return volume
}
const capabilityAs = ({ capability }: TestVolume) => (capability['mount'] as { fs_type: FsType }).fs_type

const filesIn = (folder: string) =>
  Object.fromEntries(
    readdirSync(folder)
      .filter(name => name !== 'lost+found')
      .map(name => [name, sha256(join(folder, name))]),
  )

const assertWhole = (volume: TestVolume) => {
  if (capabilityAs(volume) === 'ext4') run('e2fsck', '-fn', volume.data)
  else run('xfs_repair', '-n', '-f', volume.data)
}

for (const as of ['ext4', 'xfs'] as const) {
  for (const [what, isClean] of [
    ['made while its source was written', false],
    ['of a source at rest', true],
  ] as const) {
    test(`a copy of ${as} ${what} is mounted beside it, with the same files and a UUID of its own`, async () => {
      const original = await source(as)
      const files = filesIn(original.staging)
      if (isClean) await original.unstage()
      else run('xfs_io', '-f', '-c', 'pwrite -q 0 64k', '-c', 'fsync', join(original.staging, 'file-0'))
      const copy = await copyOf(original)
      if (isClean) await original.stage()
      else files['file-0'] = sha256(join(original.staging, 'file-0'))
      assert.equal(uuidOf(copy.data), filesystemUuid(original.id))

      await copy.publish()
      assert.deepEqual([copy.route['content_from'], copy.route['blank']], [original.id, 'false'])
      await copy.stage()
      assert.deepEqual([mountsAt(original.staging).length, mountsAt(copy.staging).length], [1, 1])
      assert.deepEqual(filesIn(copy.staging), files)
      assert.deepEqual(filesIn(original.staging), files)
      assert.equal(uuidOf(deviceOf(copy)), filesystemUuid(copy.id))
      assert.equal(uuidOf(deviceOf(original)), filesystemUuid(original.id))
      assert.ok(!mountsAt(copy.staging)[0]?.options.includes('nouuid'))

      // They are two: what is written to one is not in the other.
      writeFileSync(join(copy.staging, 'mine'), 'copy')
      writeFileSync(join(original.staging, 'mine'), 'original')
      await copy.unstage()
      const mark = driver.log.length
      await copy.stage()
      assert.deepEqual(
        driver.commands(mark).filter(each => TOOLS.test(each)),
        [],
        'once is enough',
      )
      assert.equal(uuidOf(deviceOf(copy)), filesystemUuid(copy.id))
      assert.equal(readFileSync(join(copy.staging, 'mine'), 'utf8'), 'copy')
      assert.equal(readFileSync(join(original.staging, 'mine'), 'utf8'), 'original')
      for (const each of [copy, original]) {
        await each.unstage()
        assertWhole(each)
      }
    })
  }

  test(`a copy of ${as} that is larger than its source keeps its files and is larger where the kernel lets it`, async () => {
    const original = await source(as)
    const copy = await copyOf(original, { size: 2 * original.size })
    await copy.publish()
    await copy.stage()
    assert.deepEqual(filesIn(copy.staging), filesIn(original.staging))
    assert.equal(uuidOf(deviceOf(copy)), filesystemUuid(copy.id))
    if (as === 'xfs')
      assert.equal(Number(run('stat', '-f', '--format', '%b', copy.staging)) * 4096 > original.size, true)
  })

  test(`a copy of ${as} that is staged read-only first is not written, and gets its UUID when it may be`, async () => {
    const original = await source(as)
    await original.unstage()
    const copy = await copyOf(original)
    await original.stage()
    const reader = { volume_capability: capabilityOf(as, 'SINGLE_NODE_READER_ONLY') }
    await copy.publish(reader)
    const before = sha256(copy.data)
    await copy.stage(reader)
    assert.deepEqual(filesIn(copy.staging), filesIn(original.staging))
    await copy.unstage()
    await copy.unpublish()
    assert.equal(sha256(copy.data), before)
    await copy.publish()
    await copy.stage()
    assert.equal(uuidOf(deviceOf(copy)), filesystemUuid(copy.id))
  })

  test(`a dirty copy of ${as} that is staged read-only is refused and not written`, async () => {
    const original = await source(as)
    writeFileSync(join(original.staging, 'late'), 'x', { flush: true })
    const copy = await copyOf(original)
    const reader = { volume_capability: capabilityOf(as, 'SINGLE_NODE_READER_ONLY') }
    await copy.publish(reader)
    const before = sha256(copy.data)
    await refused(copy.stage(reader), 'FAILED_PRECONDITION')
    assert.equal(sha256(copy.data), before)
  })

  test(`what says that it is a copy of another volume, and is not, is refused: ${as}`, async () => {
    const [original, stranger] = [await source(as), await source(as)]
    const copy = await copyOf(original, { image: stranger.data })
    await copy.publish()
    const before = sha256(copy.data)
    await refused(copy.stage(), 'FAILED_PRECONDITION', /its filesystem has UUID/)
    assert.equal(sha256(copy.data), before)
  })

  test(`a driver that dies anywhere while a copy of ${as} gets its UUID: the next stage comes to the end`, async () => {
    const original = await source(as)
    const files = filesIn(original.staging)
    const image = bench.path('image')
    run('cp', '--reflink=never', '--sparse=always', original.data, image)
    bench.defer(() => unlinkSync(image))
    let copy = await copyOf(original, { image })
    let survived = false
    let deaths = 0
    for (let lives = 0; !survived; lives += 1) {
      assert.ok(lives < 40)
      if (lives > 0) copy = await copyOf(original, { image })
      await copy.publish()
      survived = await stageAndDieAt(copy, as, lives)
      deaths += survived ? 0 : 1
      await copy.stage()
      assert.equal(uuidOf(deviceOf(copy)), filesystemUuid(copy.id))
      assert.deepEqual(filesIn(copy.staging), files)
      assert.equal(mountsAt(copy.staging).length, 1)
      assert.ok(!existsSync(join(copy.staging, 'mine')))
      await copy.unstage()
      assertWhole(copy)
      await copy.teardown()
    }
    // Before and after each of: check, tool and mount, or mount, unmount, tool and mount.
    assert.ok(deaths >= 6, `${deaths} deaths`)
    assert.deepEqual(filesIn(original.staging), files)
    assert.equal(uuidOf(deviceOf(original)), filesystemUuid(original.id))
  })
}

class Death extends Error {}

/** Nothing runs any more from before or after the so-and-so-many-th command that changes something; true if it lived on. */
const stageAndDieAt = async (volume: TestVolume, as: FsType, boundary: number): Promise<boolean> => {
  let passed = 0
  let isDead = false
  const die = () => {
    isDead = true
    throw new Death()
  }
  const { node } = await sitesOf(driver, text => {
    if (isDead) throw new Death()
    if (passed > boundary) die()
    if (!/e2fsck|tune2fs|xfs_admin|^mount|^umount/.test(text)) return undefined
    if (passed === boundary) die()
    // One boundary before it, and one after it: when the next command of any kind is about to run.
    passed += 2
    return undefined
  })
  const request = {
    id: volume.id,
    stagingPath: volume.staging,
    capability: { ...MOUNT, fsType: as },
    publishContext: volume.route,
    volumeContext: volume.context,
  }
  try {
    await stageVolume(node, request, testOp())
    return true
  } catch (error) {
    if (error instanceof Death) return false
    throw error
  }
}
