// `ashlar wipe` on a real kernel: looks without changing a byte, refuses what is in use, and makes blank what it is told to.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { WIPER } from '../../src/volume/claim.ts'
import { digest, filesystemUuid } from '../../src/volume/ids.ts'
import { refused, useDriver } from './harness.ts'
import { backingOf, poke, run, sha256 } from './machine.ts'
import { MIB, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

/** The program as an operator calls it. */
const wipe = (volume: TestVolume, ...flags: string[]) => {
  const cli = join(import.meta.dirname, '../../src/bin/cli.ts')
  const config = ['--config', join(driver.folder, 'all-in-one.json')]
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'wipe', volume.id, ...config, ...flags], {
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}
const destroy = (volume: TestVolume) => wipe(volume, '--destroy', volume.id)

/** Refused with these words, and not a byte of the volume is another. */
const refusedUntouched = (volume: TestVolume, words: RegExp): void => {
  const before = sha256(volume.data)
  const { status, stderr } = destroy(volume)
  assert.equal(status, 1)
  assert.match(stderr, words)
  assert.equal(sha256(volume.data), before)
}

const allocated = (volume: TestVolume): number => statSync(volume.data).blocks * 512

for (const as of ['ext4', 'xfs'] as const) {
  test(`a populated ${as} volume: shown, refused while in use, then blank, and formatted by the next stage`, async () => {
    const volume = await bench.volume({ as }).up()
    writeFileSync(join(volume.staging, 'file'), randomBytes(4 * MIB))
    refusedUntouched(volume, /it is published to node node-a|staged at/)
    await volume.unstage()
    refusedUntouched(volume, /it is published to node node-a/)
    await volume.unpublish()

    const before = sha256(volume.data)
    const { status, stdout } = wipe(volume)
    assert.equal(status, 3)
    assert.match(stdout, new RegExp(`^holds +${as}, UUID ${filesystemUuid(volume.id)}`, 'm'))
    assert.match(stdout, new RegExp(`^file +${volume.data}$`, 'm'))
    assert.match(stdout, new RegExp(`^created for +mount ${as} SINGLE_NODE_WRITER$`, 'm'))
    assert.match(
      stdout,
      new RegExp(`^size +${volume.size} bytes \\(.*\\), of which ${allocated(volume)} are written$`, 'm'),
    )
    assert.match(stdout, /^Nothing was changed\./m)
    assert.equal(sha256(volume.data), before, 'a look changes nothing')
    assert.equal(wipe(volume, '--destroy', `${volume.id}0`).status, 2)
    assert.equal(sha256(volume.data), before, 'another id is no confirmation')

    assert.deepEqual([destroy(volume).status, allocated(volume)], [0, 0])
    assert.match(wipe(volume).stdout, /^holds +nothing/m)
    const mark = driver.log.length
    await volume.publish()
    await volume.stage()
    assert.ok(driver.commands(mark).some(each => each.includes(`mkfs.${as}`)))
    assert.ok(!existsSync(join(volume.staging, 'file')))
  })
}

test('random bytes: refused by stage, shown as what nobody recognises, and usable after the wipe', async () => {
  const volume = await bench.volume().create()
  poke(volume.data, [0, randomBytes(MIB)], [32 * MIB, randomBytes(MIB)])
  await volume.publish()
  await refused(volume.stage(), 'FAILED_PRECONDITION', /ashlar wipe/)
  await volume.unpublish()
  assert.match(wipe(volume).stdout, /^holds +data that nothing recognises/m)
  assert.equal(destroy(volume).status, 0)
  await volume.publish()
  await volume.stage()
  writeFileSync(join(volume.staging, 'file'), 'data')
  assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
})

describe('what is not wiped', () => {
  test('a volume that a forgotten device shows', async () => {
    const volume = await bench.volume().create()
    poke(volume.data, [0, randomBytes(MIB)])
    const device = run('losetup', '--find', '--show', volume.data).trim()
    bench.defer(() => run('losetup', '--detach', device))
    refusedUntouched(volume, new RegExp(`${device} is attached to it`))
    assert.equal(backingOf(device), volume.data)
  })

  test('a volume that the journal calls staged, though neither claim nor device is left', async () => {
    const volume = await bench.volume().up()
    run('umount', volume.staging)
    await volume.unpublish()
    refusedUntouched(volume, /the journal says that it is staged/)
    await volume.unstage()
    assert.equal(destroy(volume).status, 0)
  })

  test('a volume that does not exist', async () => {
    const volume = await bench.volume().create()
    await volume.delete()
    const { status, stderr } = destroy(volume)
    assert.deepEqual([status, /there is no volume/.test(stderr)], [1, true])
  })
})

test('a wipe that was cut short keeps everyone else out, and a repeat comes to its end', async () => {
  const volume = await bench.volume().create()
  poke(volume.data, [0, randomBytes(MIB)])
  await volume.publish()
  // As if the process had died between its claim and the end: the claim is all that it leaves.
  const claims = join(driver.pool, 'volumes', volume.id, 'claims')
  await volume.unpublish()
  const name = `${digest(WIPER).slice(0, 32)}.json`
  const capability = { access: 'block', mode: 'SINGLE_NODE_WRITER', mountFlags: [] }
  const content = { node: WIPER, readonly: false, capability, blank: false }
  writeFileSync(join(claims, name), JSON.stringify({ kind: 'claim', version: 1, content }))
  await refused(volume.publish(), 'FAILED_PRECONDITION', /ashlar wipe/)
  assert.equal(destroy(volume).status, 0)
  await volume.publish()
  await volume.stage()
})
