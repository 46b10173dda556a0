// Ephemeral volumes: what kubelet does with a pod's own volume, what strangers may take, and that nothing else is ever removed with one.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { digest, encodeEphemeralId } from '../../src/volume/ids.ts'
import { again, refused, sitesOf, useDriver } from './harness.ts'
import { loopsBelow, mountsAt, run, sha256 } from './machine.ts'
import { capabilityOf, type Fields, MIB } from './volume.ts'

const ephemeral = { maxVolumes: 2, maxVolumeMiB: 400, maxTotalMiB: 500 }
const bench = useDriver({ config: { ephemeral } })
const { driver } = bench

const op = {
  log: { debug() {}, info() {}, warn() {}, error() {}, child: () => op.log },
  signal: new AbortController().signal,
}

/** A volume of a pod as kubelet names it and where it wants it. */
class PodVolume {
  readonly handle: string
  readonly target: string
  readonly fields: Fields

  constructor(as = 'ext4', attributes: Record<string, string> = { size: '64Mi' }) {
    this.target = join(bench.path('pod'), 'mount')
    this.handle = `csi-${digest(this.target)}`
    this.fields = {
      volume_id: this.handle,
      target_path: this.target,
      volume_capability: capabilityOf(as),
      volume_context: { ...attributes, 'csi.storage.k8s.io/ephemeral': 'true', 'csi.storage.k8s.io/pod.uid': 'u' },
    }
    bench.defer(async () => {
      await again(() => this.unpublish()).catch(() => undefined)
      rmSync(dirname(this.target), { recursive: true, force: true })
    })
  }

  get folder(): string {
    return join(driver.pool, 'volumes', encodeEphemeralId('default', this.handle))
  }

  async publish(over: Fields = {}): Promise<void> {
    mkdirSync(dirname(this.target), { recursive: true })
    await driver.call('Node', 'NodePublishVolume', { ...this.fields, ...over })
  }

  async unpublish(over: Fields = {}): Promise<void> {
    await driver.call('Node', 'NodeUnpublishVolume', { volume_id: this.handle, target_path: this.target, ...over })
  }
}

const volumesLeft = () => readdirSync(join(driver.pool, 'volumes'))
const entriesLeft = () => readdirSync(driver.state).filter(name => name.endsWith('.json'))

for (const as of ['ext4', 'xfs', '']) {
  test(`a pod gets a volume of its own as ${as || 'the default'}, and it goes with the pod`, async () => {
    const own = new PodVolume(as, { size: as === 'xfs' ? '300Mi' : '64Mi' })
    await own.publish()
    assert.deepEqual(
      mountsAt(own.target).map(({ fsType }) => fsType),
      [as || 'ext4'],
    )
    writeFileSync(join(own.target, 'file'), 'data')
    await own.publish()
    assert.equal(readFileSync(join(own.target, 'file'), 'utf8'), 'data')
    assert.equal(mountsAt(own.target).length, 1)
    const stats = await driver.call<{ usage: { total: string }[] }>('Node', 'NodeGetVolumeStats', {
      volume_id: own.handle,
      volume_path: own.target,
    })
    assert.ok(Number(stats.usage[0]?.total) > 32 * MIB)
    const { entries } = await driver.call<{ entries: unknown[] }>('Controller', 'ListVolumes')
    assert.deepEqual(entries, [])
    await own.unpublish()
    assert.deepEqual([existsSync(own.target), volumesLeft(), entriesLeft()], [false, [], []])
    await own.unpublish()
  })
}

test('what is refused leaves nothing behind, and says why', async () => {
  const code = 'INVALID_ARGUMENT'
  await refused(new PodVolume('ext4', { pool: 'default' }).publish(), code, /attribute "pool"/)
  await refused(new PodVolume('block').publish(), code, /block device/)
  await refused(new PodVolume('btrfs').publish(), code, /btrfs/)
  await refused(new PodVolume().publish({ readonly: true }), code, /read-only/)
  await refused(new PodVolume().publish({ volume_context: {} }), code, /podInfoOnMount/)
  await refused(new PodVolume('ext4', { size: '401Mi' }).publish(), 'OUT_OF_RANGE', /one may have/)
  assert.deepEqual([entriesLeft(), loopsBelow(driver.pool)], [[], []])
})

test('the limits of the operator hold for all pods together', async () => {
  const [one, two, three] = [new PodVolume(), new PodVolume('ext4', { size: '400Mi' }), new PodVolume()] as const
  await one.publish()
  await two.publish()
  await refused(three.publish(), 'RESOURCE_EXHAUSTED', /2 ephemeral volumes/)
  await two.unpublish()
  await three.publish()
  await three.unpublish()
  await one.unpublish()
  const [large, other] = [new PodVolume('ext4', { size: '400Mi' }), new PodVolume('ext4', { size: '101Mi' })] as const
  await large.publish()
  await refused(other.publish(), 'RESOURCE_EXHAUSTED', /they would have/)
  const racers = [new PodVolume('ext4', { size: '20Mi' }), new PodVolume('ext4', { size: '20Mi' })]
  const codes = await Promise.all(
    racers.map(each =>
      each.publish().then(
        () => 'OK',
        () => 'refused',
      ),
    ),
  )
  assert.deepEqual(codes.sort(), ['OK', 'refused'])
})

test('the driver is killed in the middle of either call: kubelet repeats it, and nothing is left at the end', async () => {
  const rehearsal = new PodVolume()
  const start = performance.now()
  await rehearsal.publish()
  const duration = performance.now() - start
  await rehearsal.unpublish()
  for (let n = 0; n < 6; n += 1) {
    const own = new PodVolume()
    const call = (n % 2 === 0 ? own.publish() : own.publish().then(() => own.unpublish())).catch(() => undefined)
    await new Promise(resolve => setTimeout(resolve, ((n + Math.random()) / 6) * duration * (n % 2 === 0 ? 1 : 1.5)))
    await driver.kill()
    await call
    await driver.start()
    if (n % 2 === 0) {
      await again(() => own.publish())
      assert.equal(mountsAt(own.target).length, 1)
    }
    await again(() => own.unpublish())
    assert.deepEqual([existsSync(own.target), volumesLeft(), entriesLeft()], [false, [], []])
  }
  rmSync(join(driver.pool, 'drafts'), { recursive: true })
  rmSync(join(driver.pool, 'trash'), { recursive: true })
  await driver.restart()
})

test('a publish that was never answered is taken back at the next start, when nobody repeats it', async () => {
  const own = new PodVolume()
  await own.publish()
  await driver.kill()
  run('umount', own.target)
  const note = join(driver.state, entriesLeft()[0] ?? '')
  writeFileSync(note, readFileSync(note, 'utf8').replace('"published"', '"begun",\n    "doing": "stage"'))
  await driver.start()
  await again(async () => {
    if (volumesLeft().length + entriesLeft().length > 0)
      throw Object.assign(new Error('not yet'), { code: 14, details: '' })
  })
})

test('a volume that was made and never mounted is removed at the next start, when nobody repeats the call', async () => {
  const own = new PodVolume()
  const { node } = await sitesOf(driver)
  const capability = { access: 'mount', mode: 'SINGLE_NODE_WRITER', fsType: 'ext4', mountFlags: [] } as const
  await node.ephemeral?.provide({ handle: own.handle, size: 64n << 20n, capability }, op)
  assert.equal(volumesLeft().length, 1)
  await driver.restart()
  await again(async () => {
    if (volumesLeft().length > 0) throw Object.assign(new Error('not yet'), { code: 14, details: '' })
  })
})

test('after a reboot a pod finds its data again, also when the driver is killed meanwhile or lost its notes', async () => {
  const own = new PodVolume()
  await own.publish()
  writeFileSync(join(own.target, 'file'), 'data')
  const reboot = async () => {
    await driver.kill()
    run('umount', own.target)
    for (const { path } of loopsBelow(driver.pool)) run('losetup', '--detach', path)
    await driver.start()
  }
  await reboot()
  await own.publish()
  assert.equal(readFileSync(join(own.target, 'file'), 'utf8'), 'data')
  await driver.kill()
  const note = join(driver.state, entriesLeft()[0] ?? '')
  writeFileSync(note, readFileSync(note, 'utf8').replace('"published"', '"published",\n    "doing": "stage"'))
  await driver.start()
  await again(() => own.publish())
  assert.equal(readFileSync(join(own.target, 'file'), 'utf8'), 'data')
  await reboot()
  rmSync(note)
  await driver.restart()
  await again(() => own.publish())
  assert.equal(readFileSync(join(own.target, 'file'), 'utf8'), 'data')
})

test('no call for a pod’s volume removes a persistent one, whatever its record says', async () => {
  const volume = await bench.volume().up()
  const target = await volume.publishAt(bench.path('t'))
  writeFileSync(join(target, 'file'), 'precious')
  // Its own name in either call, with the word that only kubelet says.
  const context = { 'csi.storage.k8s.io/ephemeral': 'true' }
  await refused(
    volume.publishAt(bench.path('t'), { volume_context: context }),
    'INVALID_ARGUMENT',
    /does not have the id/,
  )
  await volume.unpublishAt(target)
  await volume.unstage()
  const before = sha256(volume.data)

  // A record that was changed by hand: neither kind of call touches it any more.
  const record = join(dirname(volume.data), 'volume.json')
  const text = readFileSync(record, 'utf8')
  writeFileSync(record, text.replace('"sectorSize"', '"ephemeral": { "node": "node-a" },\n    "sectorSize"'))
  const { node } = await sitesOf(driver)
  const home = node.ephemeral ?? assert.fail()
  await home.remove(volume.id, op)
  await refused(volume.delete(), 'UNAVAILABLE', /ephemeral/)
  await refused(volume.unpublish(), 'UNAVAILABLE', /ephemeral/)
  assert.equal(sha256(volume.data), before)
  writeFileSync(record, text)
  await volume.unpublish()

  // A folder that was given the name of a pod's volume.
  const own = new PodVolume()
  renameSync(dirname(volume.data), own.folder)
  const lies = [
    text,
    text.replaceAll(volume.id, encodeEphemeralId('default', own.handle)),
    text.replace('"sectorSize"', '"ephemeral": { "node": "node-a" },\n    "sectorSize"'),
    text
      .replaceAll(volume.id, encodeEphemeralId('default', own.handle))
      .replace('"sectorSize"', '"ephemeral": { "node": "node-a" },\n    "sectorSize"'),
  ]
  for (const lie of lies) {
    writeFileSync(join(own.folder, 'volume.json'), lie)
    await refused(own.unpublish(), ['UNAVAILABLE', 'INVALID_ARGUMENT'])
    await refused(own.publish(), ['UNAVAILABLE', 'INVALID_ARGUMENT', 'ALREADY_EXISTS'])
    await driver.restart()
    assert.equal(sha256(join(own.folder, 'data')), before)
  }
  writeFileSync(join(own.folder, 'volume.json'), text)
  renameSync(own.folder, dirname(volume.data))
  await volume.publish()
  await volume.stage()
  assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'precious')
})

test('the name of a pod’s volume is good for its own calls only', async () => {
  const own = new PodVolume()
  await own.publish()
  writeFileSync(join(own.target, 'file'), 'data')
  const id = encodeEphemeralId('default', own.handle)
  assert.equal((await driver.call<{ entries: unknown[] }>('Controller', 'ListVolumes')).entries.length, 0)
  await driver.call('Controller', 'DeleteVolume', { volume_id: id })
  await driver.call('Controller', 'DeleteVolume', { volume_id: own.handle })
  await driver.call('Controller', 'ControllerUnpublishVolume', { volume_id: id, node_id: 'node-a' })
  await refused(driver.call('Controller', 'CreateSnapshot', { source_volume_id: id, name: 'x' }), 'NOT_FOUND')
  await refused(own.unpublish({ volume_id: id }), 'INVALID_ARGUMENT', /ephemeral/)
  await refused(
    driver.call('Node', 'NodeUnstageVolume', { volume_id: id, staging_target_path: own.target }),
    'INVALID_ARGUMENT',
  )
  await own.unpublish({ target_path: bench.path('elsewhere') })
  assert.equal(readFileSync(join(own.target, 'file'), 'utf8'), 'data')
})

test('a volume in use by its pod is not removed: the call can be repeated', async () => {
  const own = new PodVolume()
  await own.publish()
  const busy = bench.path('sub')
  mkdirSync(busy)
  run('mount', '--bind', own.target, busy)
  await refused(own.unpublish(), 'FAILED_PRECONDITION', /published at/)
  run('umount', busy)
  rmSync(busy, { recursive: true })
  await own.unpublish()
  assert.deepEqual(volumesLeft(), [])
})
