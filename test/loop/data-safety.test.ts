// Checks 13 to 16: no byte of a volume changes that nobody asked to change, and no wrong device is used.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, readFileSync, renameSync, statSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { localHost } from '../../src/host/local.ts'
import { findDevice } from '../../src/linux/device.ts'
import { probe } from '../../src/linux/format.ts'
import { SILENT } from '../../src/volume/op.ts'
import { outcome, refused, useDriver } from './harness.ts'
import { backingOf, clear, loopsBelow, mountsAt, poke, run, sha256 } from './machine.ts'
import { capabilityOf, MIB, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

/** Programs that write to a device. */
const writers = (since: number): string[] =>
  driver.commands(since).filter(each => /(^| )(mkfs|e2fsck|resize2fs|mount|wipefs(?!.*--no-act)|dd .*of=)/.test(each))

/** The stage is refused, and neither the bytes nor the mounts have changed. */
const refusedUntouched = async (volume: TestVolume, words: RegExp, over: object = {}): Promise<void> => {
  const before = sha256(volume.data)
  const mark = driver.log.length
  await refused(volume.stage({ ...over }), 'FAILED_PRECONDITION', words)
  assert.equal(sha256(volume.data), before, 'the bytes are as before')
  assert.deepEqual(writers(mark), [])
  assert.deepEqual(mountsAt(volume.staging), [])
}

for (const [have, asked] of [
  ['ext4', 'xfs'],
  ['xfs', 'ext4'],
] as const) {
  test(`check 13: a volume that holds ${have}, staged as ${asked}, is refused and unchanged`, async () => {
    const volume = await bench.volume({ as: '', size: 320 * MIB }).create()
    await volume.publish({ volume_capability: capabilityOf(have) })
    await volume.stage({ volume_capability: capabilityOf(have) })
    writeFileSync(join(volume.staging, 'file'), 'data')
    await volume.unstage()
    // The attestation of the first publish is stale by now; even so nothing is written.
    await refusedUntouched(volume, new RegExp(`holds ${have}, asked for ${asked}`), {
      volume_capability: capabilityOf(asked),
    })
    await volume.stage({ volume_capability: capabilityOf(have) })
    assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  })
}

test('check 14: a device that cannot be read is never called blank', async () => {
  const image = bench.path('image')
  writeFileSync(image, '')
  truncateSync(image, 64 * MIB)
  const path = run('losetup', '--find', '--show', '--direct-io=on', image).trim()
  bench.defer(() => {
    run('losetup', '--detach', path)
    unlinkSync(image)
  })
  const host = localHost()
  const op = { log: SILENT, signal: new AbortController().signal }
  const device = await findDevice(host, path.slice('/dev/'.length))
  assert.ok(device)
  assert.deepEqual(await probe(host, device, op), { kind: 'blank' })
  truncateSync(image, 0) // every read is an I/O error now; blkid alone says "nothing found"
  run('blockdev', '--flushbufs', path)
  await assert.rejects(probe(host, device, op), { name: 'Unavailable' })
})

test('check 14: a volume whose bytes are gone is refused and not formatted', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  const mark = driver.log.length
  truncateSync(volume.data, volume.size / 2)
  run('blockdev', '--flushbufs', volume.device)
  await refused(volume.stage(), 'FAILED_PRECONDITION', /the file only/)
  const { route } = volume
  await volume.unpublish()
  await volume.publish() // attached anew, it is as short as the file
  await refused(volume.stage({ publish_context: route }), 'FAILED_PRECONDITION', /the volume has/)
  truncateSync(volume.data, 0)
  run('blockdev', '--flushbufs', volume.device)
  assert.match(await outcome(volume.stage()), /^(UNAVAILABLE|FAILED_PRECONDITION)$/)
  assert.equal(statSync(volume.data).size, 0)
  truncateSync(volume.data, volume.size)
  assert.deepEqual(writers(mark), [])
  assert.ok(!/[^\0]/.test(readFileSync(volume.data, 'latin1')), 'not a byte was written')
  await volume.publish()
  await volume.stage()
})

test('check 14: without the attestation that it never held data a blank volume is not formatted', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  const { blank, ...without } = volume.route
  assert.equal(blank, 'true')
  for (const publish_context of [without, { ...without, blank: 'false' }]) {
    await refusedUntouched(volume, /does not attest/, { publish_context })
  }
})

test('check 14: a volume that was ever written is published without the attestation', async () => {
  const volume = await bench.volume().up()
  await volume.publish()
  assert.equal(volume.route['blank'], 'false')
  await volume.unstage()
  await volume.unpublish()
  await volume.publish()
  assert.equal(volume.route['blank'], 'false')
  run('blkdiscard', volume.device) // now it looks blank; it was not
  poke(volume.data, [32 * MIB, '\0'])
  await volume.publish()
  assert.equal(volume.route['blank'], 'false')
  await refusedUntouched(volume, /does not attest/)
})

describe('check 15: a device with foreign content is refused and unchanged', () => {
  const partition = '\x80\0\0\0\x83\0\0\0\0\x08\0\0\0\x08\0\0'
  const headless: Record<string, number> = {
    'an ext4 without its head': 160 * MIB,
    'an xfs without its head': 320 * MIB,
  }
  const contents: Record<string, (volume: TestVolume) => void> = {
    'a partition table': ({ data }) => poke(data, [446, partition], [510, '\x55\xaa']),
    'a LUKS header': ({ data }) => poke(data, [0, 'LUKS\xba\xbe\0\x01aes\0']),
    'a second LUKS header': ({ data }) => poke(data, [16384, 'SKUL\xba\xbe\0\x02']),
    'an LVM label': ({ data }) => poke(data, [512, `LABELONE${'\x01'.padEnd(16, '\0')}LVM2 001`]),
    'a swap signature': ({ data }) => poke(data, [4086, 'SWAPSPACE2']),
    'random bytes at its begin': ({ data }) => poke(data, [0, readFileSync(process.execPath).subarray(4096, MIB)]),
    'one byte in its first MiB': ({ data }) => poke(data, [777_777, 'x']),
    'bytes at its end': ({ data, size }) => poke(data, [size - 4096, 'the end']),
    'an ext4 of somebody else': ({ data }) => run('mkfs.ext4', '-q', '-F', data),
    'an ext4 without its head': ({ data }) => {
      run('mkfs.ext4', '-q', '-F', '-b', '4096', data)
      poke(data, [0, Buffer.alloc(4 * MIB)])
    },
    'an xfs without its head': ({ data }) => {
      run('mkfs.xfs', '-q', '-f', data)
      poke(data, [0, Buffer.alloc(4 * MIB)])
    },
    'two filesystems': ({ data }) => {
      run('mkfs.ext4', '-q', '-F', data)
      poke(data, [0, 'XFSB\0\0\x10\0'])
    },
  }
  for (const [what, write] of Object.entries(contents)) {
    test(`check 15: foreign content, ${what}`, async () => {
      const volume = await bench.volume({ size: headless[what] ?? 64 * MIB }).create()
      await volume.publish()
      assert.equal(volume.route['blank'], 'true') // attested, so only the look at the device can refuse
      write(volume)
      await refusedUntouched(volume, /nothing was written/)
    })
  }
})

test('check 16: a loop number that was given to another volume is not mistaken for the first', async () => {
  const [volume, other] = [await bench.volume().up(), await bench.volume().up()]
  writeFileSync(join(volume.staging, 'whose'), 'mine')
  writeFileSync(join(other.staging, 'whose'), 'theirs')
  const [mine, theirs] = [volume.device, other.device]
  await driver.kill()
  clear(driver.folder)
  // The same publish contexts after a reboot, but the kernel gave the numbers the other way round. When somebody else on
  // this machine was faster, a number belongs to a stranger: as good.
  for (const [device, file] of [
    [mine, other.data],
    [theirs, volume.data],
  ] as const) {
    if (backingOf(device) === undefined) spawnSync('losetup', [device, file])
    assert.notEqual(backingOf(device), device === mine ? volume.data : other.data)
  }
  await driver.start()
  await volume.stage()
  await other.stage()
  assert.deepEqual([loopsBelow(volume.data).length, loopsBelow(other.data).length], [1, 1])
  assert.equal(readFileSync(join(volume.staging, 'whose'), 'utf8'), 'mine')
  assert.equal(readFileSync(join(other.staging, 'whose'), 'utf8'), 'theirs')
})

test('check 16: the route of another volume is refused', async () => {
  const [volume, other] = [await bench.volume().create(), await bench.volume().create()]
  await volume.publish()
  const before = sha256(other.data)
  for (const backing_file of [other.data, '/etc/passwd', `${driver.pool}/volumes/../volumes/${volume.id}/data`, '']) {
    await refused(
      volume.stage({ publish_context: { ...volume.route, backing_file } }),
      'INVALID_ARGUMENT',
      /not a file of this volume/,
    )
  }
  await refused(volume.stage({ publish_context: {} }), 'INVALID_ARGUMENT')
  assert.equal(sha256(other.data), before)
  assert.ok(!loopsBelow(driver.folder).some(({ backing }) => backing === other.data))
})

test('check 16: a file that was unlinked and made anew is not the volume', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  const saved = bench.path('saved')
  copyFileSync(volume.data, saved)
  unlinkSync(volume.data)
  renameSync(saved, volume.data)
  assert.match(backingOf(volume.device) ?? '', / \(deleted\)$/)
  bench.defer(() => run('losetup', '--detach', volume.device))
  await refusedUntouched(volume, /attached to it|backed by/)
})

test('check 16: two loop devices on one file are refused', async () => {
  const volume = await bench.volume().create()
  await volume.publish()
  const twin = run('losetup', '--find', '--show', volume.data).trim()
  bench.defer(() => run('losetup', '--detach', twin))
  await refused(volume.publish(), 'FAILED_PRECONDITION', new RegExp(twin))
  await refusedUntouched(volume, new RegExp(twin))
})

test('check 16: a loop device with an offset or a limit is not the volume', async () => {
  for (const limits of [
    ['--offset', String(MIB)],
    ['--sizelimit', String(8 * MIB)],
  ]) {
    const volume = await bench.volume().create()
    await volume.publish()
    run('losetup', '--detach', volume.device)
    run('losetup', ...limits, '--find', volume.data)
    await refused(volume.stage(), ['FAILED_PRECONDITION', 'INTERNAL'])
    assert.ok(!/[^\0]/.test(readFileSync(volume.data, 'latin1')), 'not a byte was written')
  }
})
