// Checks 1 to 12: repeated and concurrent calls end in one volume, one device, one mount, one mkfs.
import assert from 'node:assert/strict'
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { Driver, NODE_ID } from './driver.ts'
import { outcome, refused, useDriver } from './harness.ts'
import { backingOf, clear, loopsBelow, mountsAt, mountsBelow, run, scaled } from './machine.ts'
import { stopMkfs } from './mkfs.ts'
import { capabilityOf, MIB } from './volume.ts'

const bench = useDriver()
const { driver } = bench

interface Listed {
  entries: { volume: { volume_id: string; capacity_bytes: string } }[]
}
const listIds = async () =>
  (await driver.call<Listed>('Controller', 'ListVolumes')).entries.map(({ volume }) => volume.volume_id)

const countMkfs = (since: number): number => driver.commands(since).filter(each => / mkfs\./.test(each)).length

test('check 1: two CreateVolume calls at once make one volume', async () => {
  const volume = bench.volume()
  const wider = { capacity_range: { required_bytes: String(volume.size), limit_bytes: String(2 * volume.size) } }
  const outcomes = await Promise.all([volume.create(), volume.create(), volume.create(wider)].map(outcome))
  assert.ok(outcomes.includes('OK'), outcomes.join())
  assert.ok(
    outcomes.every(code => code === 'OK' || code === 'ABORTED'),
    outcomes.join(),
  )
  assert.deepEqual(await listIds(), [volume.id])
})

test('check 1: two controllers on one pool make one volume', async () => {
  const second = new Driver({
    config: { pools: { default: { type: 'file', path: driver.pool, overcommit: 100 } } },
  })
  bench.defer(async () => {
    assert.deepEqual(await second.end('SIGTERM'), ['exit 0'])
    rmSync(second.folder, { recursive: true })
  })
  await second.start()
  for (let round = 0; round < 5; round += 1) {
    const volume = bench.volume({ as: 'block' })
    const twin = {
      name: volume.name,
      capacity_range: { required_bytes: String(volume.size) },
      volume_capabilities: [volume.capability],
    }
    const [, reply] = await Promise.all([
      volume.create(),
      second.call<{ volume: { volume_id: string } }>('Controller', 'CreateVolume', twin),
    ])
    assert.equal(reply.volume.volume_id, volume.id)
    assert.equal((await listIds()).filter(id => id === volume.id).length, 1)
    assert.deepEqual(readdirSync(join(driver.pool, 'drafts')), [])
  }
})

test('check 2: CreateVolume and NodeStageVolume repeated after their deadline passed', async () => {
  for (const deadline of [2, 10, 30, 80, 200, 400]) {
    const volume = bench.volume()
    const mark = driver.log.length
    const early = driver.call(
      'Controller',
      'CreateVolume',
      {
        name: volume.name,
        capacity_range: { required_bytes: String(volume.size) },
        volume_capabilities: [volume.capability],
      },
      Math.min(deadline, 30),
    )
    assert.match(await outcome(early), /^(OK|DEADLINE_EXCEEDED)$/)
    await eventually(async () => await volume.create())
    await volume.publish()
    assert.match(await outcome(volume.stage({}, deadline)), /^(OK|DEADLINE_EXCEEDED)$/)
    await eventually(async () => await volume.stage())
    assert.equal(countMkfs(mark), 1, `one mkfs with a deadline of ${deadline} ms`)
    assert.equal(mountsAt(volume.staging).length, 1)
    assert.equal((await listIds()).filter(id => id === volume.id).length, 1)
  }
})

/** An orchestrator repeats ABORTED at once; every other failure is one. */
const eventually = async (call: () => Promise<unknown>): Promise<void> => {
  for (let tries = 0; ; tries += 1) {
    const code = await outcome(call())
    if (code === 'OK') return
    assert.equal(code, 'ABORTED')
    assert.ok(tries < 2000)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}

test('check 3: a CreateVolume that cannot be served leaves nothing behind', async () => {
  const range = (bytes: bigint) => ({ capacity_range: { required_bytes: String(bytes) } })
  const impossible = [2n ** 45n, 2n ** 53n + 1n, 2n ** 62n]
  for (const bytes of impossible)
    await refused(bench.volume().create(range(bytes)), ['RESOURCE_EXHAUSTED', 'OUT_OF_RANGE'])
  for (const folder of ['volumes', 'drafts', 'trash'])
    assert.deepEqual(readdirSync(join(driver.pool, folder)), [], folder)
})

test('check 3: a ControllerPublishVolume that fails leaves no claim behind', async () => {
  const volume = await bench.volume().create()
  const twin = run('losetup', '--find', '--show', volume.data).trim()
  const other = run('losetup', '--find', '--show', volume.data).trim()
  await refused(volume.publish(), 'FAILED_PRECONDITION', new RegExp(twin))
  assert.deepEqual(readdirSync(join(driver.pool, 'volumes', volume.id, 'claims')), [])
  for (const device of [twin, other]) run('losetup', '--detach', device)
  await volume.publish()
})

test('check 5: CreateVolume with the same name and other arguments', async () => {
  const volume = await bench.volume({ parameters: { mountPermissions: '0750' } }).create()
  const { id } = volume
  const others = {
    parameters: { parameters: { mountPermissions: '0770' } },
    'no parameters': { parameters: {} },
    'access type': { volume_capabilities: [capabilityOf('block')] },
    filesystem: { volume_capabilities: [capabilityOf('xfs')], capacity_range: { required_bytes: String(320 * MIB) } },
    topology: { accessibility_requirements: { requisite: [{ segments: { 'csi.ashlar.dev/node': 'node-b' } }] } },
    size: { capacity_range: { required_bytes: String(2 * volume.size) } },
    limit: { capacity_range: { limit_bytes: String(volume.size - MIB) } },
  }
  for (const [what, over] of Object.entries(others)) {
    await refused(volume.create(over), 'ALREADY_EXISTS').catch((error: unknown) =>
      assert.fail(`${what}: ${String(error)}`),
    )
  }
  const metadata = { 'csi.storage.k8s.io/pvc/name': 'claim', 'csi.storage.k8s.io/pvc/namespace': 'default' }
  await volume.create({ parameters: { ...volume.parameters, ...metadata } })
  assert.equal(volume.id, id)
  await volume.create()
  assert.deepEqual(await listIds(), [id])
})

test('check 6: CreateVolume repeated after the volume was expanded', async () => {
  const volume = await bench.volume({ as: 'block' }).create()
  await volume.expand(2 * volume.size)
  const reply = await driver.call<{ volume: { capacity_bytes: string } }>('Controller', 'CreateVolume', {
    name: volume.name,
    capacity_range: { required_bytes: String(volume.size) },
    volume_capabilities: [volume.capability],
  })
  assert.equal(reply.volume.capacity_bytes, String(2 * volume.size))
})

test('check 7: NodeStageVolume repeated while its mkfs runs', async () => {
  const mark = driver.log.length
  const { volume, staging, mkfs } = await stopMkfs(bench, 'xfs')
  const elsewhere = bench.path('elsewhere')
  mkdirSync(elsewhere)
  const again = volume.stage()
  await refused(volume.stage({ staging_target_path: elsewhere }), 'ABORTED', /NodeStageVolume is running/)
  await refused(volume.unstage(), 'ABORTED')
  mkfs.resume()
  await Promise.all([staging, again])
  await volume.stage()
  assert.deepEqual(
    driver.commands(mark).filter(each => / mkfs\./.test(each) && each.endsWith(` ${volume.device}`)).length,
    1,
  )
  assert.deepEqual(
    mountsAt(volume.staging).map(({ fsType }) => fsType),
    ['xfs'],
  )
})

test('check 8: stage and publish repeated under a running writer after the driver was killed', async () => {
  const volume = await bench.volume().up()
  const target = await volume.publishAt(bench.path('t'))
  const file = openSync(join(target, 'log'), 'a')
  const write = (line: string) => {
    writeSync(file, `${line}\n`)
    fsyncSync(file)
  }
  write('before')
  const [mounts, loops] = [mountsBelow(driver.folder), loopsBelow(driver.folder)]
  await driver.kill()
  write('without a driver')
  await driver.start()
  const mark = driver.log.length
  await volume.publish()
  await volume.stage()
  await volume.publishAt(target)
  write('after')
  closeSync(file)
  assert.deepEqual([mountsBelow(driver.folder), loopsBelow(driver.folder)], [mounts, loops])
  assert.deepEqual(
    driver.commands(mark).filter(each => /(^| )(mkfs|e2fsck|mount|umount)/.test(each)),
    [],
  )
  assert.equal(readFileSync(join(volume.staging, 'log'), 'utf8'), 'before\nwithout a driver\nafter\n')
})

test('check 9: ten NodePublishVolume and one NodeUnpublishVolume', async () => {
  for (const as of ['ext4', 'block'] as const) {
    const volume = await bench.volume({ as }).up()
    const target = bench.path('t')
    for (let n = 0; n < 10; n += 1) await volume.publishAt(target)
    assert.equal(mountsAt(target).length, 1)
    await volume.unpublishAt(target)
    assert.deepEqual(mountsAt(target), [])
    assert.ok(!existsSync(target))
  }
})

test('check 10: NodeStageVolume after a reboot mounts again', async () => {
  const volume = await bench.volume({ parameters: { mountPermissions: '0750' } }).up()
  const target = await volume.publishAt(bench.path('t'))
  writeFileSync(join(target, 'kept'), 'data')
  await driver.kill()
  clear(driver.folder)
  await driver.start()
  assert.notDeepEqual(readdirSync(driver.state), [], 'the node still notes the volume as staged')
  const mark = driver.log.length
  await volume.stage()
  await volume.publishAt(target)
  assert.equal(readFileSync(join(target, 'kept'), 'utf8'), 'data')
  assert.equal(mountsAt(volume.staging).length, 1)
  assert.equal(countMkfs(mark), 0)
})

test('check 11: taking down what was never there', async () => {
  const volume = await bench.volume().create()
  const missing = bench.path('missing')
  const empty = bench.path('empty')
  mkdirSync(empty)
  const gone = { volume_id: 'vol-default-00000000000000000000000000000000' }
  for (const id of [{ volume_id: volume.id }, gone]) {
    for (const path of [missing, empty]) {
      await driver.call('Node', 'NodeUnstageVolume', { ...id, staging_target_path: path })
      await driver.call('Node', 'NodeUnpublishVolume', { ...id, target_path: path })
      assert.ok(!existsSync(path), 'the target path is gone after NodeUnpublishVolume')
    }
    mkdirSync(empty)
    for (const node_id of [NODE_ID, 'node-gone', '']) {
      await driver.call('Controller', 'ControllerUnpublishVolume', { ...id, node_id })
    }
  }
  await volume.delete()
  await volume.delete()
  assert.deepEqual(await listIds(), [])
})

test('check 12: a hundred CreateVolume and twelve whole lives in parallel', async () => {
  const [hundred, twelve] = [scaled(100), scaled(12)]
  const many = Array.from({ length: hundred }, () => bench.volume({ as: 'block' }))
  await Promise.all(many.map(async each => await each.create()))
  assert.equal(new Set(many.map(({ id }) => id)).size, hundred)
  assert.deepEqual(await listIds(), many.map(({ id }) => id).sort())
  await Promise.all(many.map(async each => await each.delete()))
  assert.deepEqual(await listIds(), [])

  const some = Array.from({ length: twelve }, (_, n) => bench.volume({ as: n % 3 === 0 ? 'block' : 'ext4' }))
  await Promise.all(
    some.map(async each => {
      await each.up()
      await each.publishAt(join(driver.folder, `parallel-${each.id}`))
    }),
  )
  assert.equal(new Set(some.map(({ device }) => device)).size, twelve)
  for (const each of some) assert.equal(backingOf(each.device), each.data)
  await Promise.all(some.map(async each => await each.teardown()))
  assert.deepEqual([mountsBelow(driver.folder), loopsBelow(driver.folder)], [[], []])
})
