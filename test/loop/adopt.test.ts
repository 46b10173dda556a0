// `ashlar adopt` on a real kernel: a file becomes a volume with every byte in it, is used, copied and never formatted.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { refused, useDriver } from './harness.ts'
import { run, sha256 } from './machine.ts'
import { MIB, type TestVolume } from './volume.ts'

const bench = useDriver()
const { driver } = bench

const adopt = (file: string, name: string, ...flags: string[]) => {
  const cli = join(import.meta.dirname, '../../src/bin/cli.ts')
  const config = ['--config', join(driver.folder, 'all-in-one.json')]
  return spawnSync(process.execPath, [cli, 'adopt', file, name, ...config, ...flags], { encoding: 'utf8' })
}
const take = (file: string, name: string, ...flags: string[]) => adopt(file, name, '--take', name, ...flags)

/** A file of somebody with a filesystem in it, and a letter in that. */
const makeFile = (as: 'ext4' | 'xfs' | 'zeros' | 'bytes', size = as === 'xfs' ? 320 * MIB : 64 * MIB): string => {
  const file = bench.path('disk')
  writeFileSync(file, as === 'bytes' ? 'precious' : '')
  truncateSync(file, size)
  bench.defer(() => rmSync(file, { force: true }))
  if (as === 'zeros' || as === 'bytes') return file
  run(`mkfs.${as}`, '-q', file)
  const mount = bench.path('letter')
  mkdirSync(mount)
  run('mount', '-o', 'loop', file, mount)
  writeFileSync(join(mount, 'letter'), 'precious')
  run('umount', mount)
  rmSync(mount, { recursive: true })
  return file
}

const idIn = (stdout: string): string => /volumeHandle: (\S+)/.exec(stdout)?.[1] ?? assert.fail(stdout)
const uuidOf = (path: string): string => run('blkid', '-p', '-s', 'UUID', '-o', 'value', path).trim()

/** A volume of the bench that stands for the adopted one. */
const asVolume = (stdout: string, as: 'ext4' | 'xfs' | 'block'): TestVolume => {
  const volume = bench.volume({ as })
  volume.id = idIn(stdout)
  volume.context = as === 'block' ? {} : { fsType: as }
  bench.defer(async () => {
    await volume.unstage()
    await volume.unpublish()
    await volume.delete()
  })
  return volume
}

for (const as of ['ext4', 'xfs'] as const) {
  test(`a file with ${as} is shown, then taken as it is, and staged with its own UUID, again and again`, async () => {
    const file = makeFile(as)
    const [before, uuid, ino] = [sha256(file), uuidOf(file), statSync(file).ino]
    const shown = adopt(file, `mine-${as}`)
    assert.deepEqual([shown.status, sha256(file)], [3, before], shown.stderr)
    assert.match(shown.stdout, new RegExp(`${as}, UUID ${uuid}`))
    const taken = take(file, `mine-${as}`)
    assert.equal(taken.status, 0, taken.stderr)
    const volume = asVolume(taken.stdout, as)
    assert.deepEqual([existsSync(file), statSync(volume.data).ino, sha256(volume.data)], [false, ino, before])
    for (const n of [1, 2]) {
      await volume.publish()
      assert.equal(volume.route['blank'], 'false')
      await volume.stage()
      assert.equal(readFileSync(join(volume.staging, 'letter'), 'utf8'), 'precious', `stage ${n}`)
      const doctor = spawnSync(
        process.execPath,
        [
          join(import.meta.dirname, '../../src/bin/cli.ts'),
          'doctor',
          '--config',
          join(driver.folder, 'all-in-one.json'),
        ],
        { encoding: 'utf8' },
      )
      assert.equal(doctor.status, 0, doctor.stdout)
      await volume.unstage()
      await volume.unpublish()
    }
    assert.equal(uuidOf(volume.data), uuid)
    const copy = bench.volume({ as, size: as === 'xfs' ? 320 * MIB : 64 * MIB })
    await copy.create({ volume_content_source: { volume: { volume_id: volume.id } } })
    await copy.publish()
    await copy.stage()
    assert.equal(readFileSync(join(copy.staging, 'letter'), 'utf8'), 'precious')
    await copy.unstage()
    assert.notEqual(uuidOf(copy.data), uuid)
  })
}

test('what was adopted is never formatted: not when it reads as zeros, not with its filesystem gone, not by wipe', async () => {
  const zeros = take(makeFile('zeros'), 'zeros', '--block')
  assert.equal(zeros.status, 0, zeros.stderr)
  const blocks = asVolume(zeros.stdout, 'block')
  await blocks.publish()
  assert.equal(blocks.route['blank'], 'false')
  const taken = take(makeFile('ext4'), 'emptied')
  const volume = asVolume(taken.stdout, 'ext4')
  run('fallocate', '--punch-hole', '--offset', '0', '--length', String(64 * MIB), volume.data)
  const before = sha256(volume.data)
  await volume.publish()
  assert.equal(volume.route['blank'], 'false')
  await refused(volume.stage(), 'FAILED_PRECONDITION', /does not attest/)
  assert.equal(sha256(volume.data), before)
  await volume.unpublish()
  const cli = join(import.meta.dirname, '../../src/bin/cli.ts')
  const wiped = spawnSync(
    process.execPath,
    [cli, 'wipe', volume.id, '--config', join(driver.folder, 'all-in-one.json'), '--destroy', volume.id],
    { encoding: 'utf8' },
  )
  assert.equal(wiped.status, 1)
  assert.match(wiped.stderr, /never formatted/)
})

test('another filesystem in the place of the adopted one is refused', async () => {
  const volume = asVolume(take(makeFile('ext4'), 'swapped').stdout, 'ext4')
  run('mkfs.ext4', '-q', '-F', volume.data)
  const before = sha256(volume.data)
  await volume.publish()
  await refused(volume.stage(), 'FAILED_PRECONDITION', /UUID/)
  assert.equal(sha256(volume.data), before)
})

test('a file that is used, linked, cut, or no file is refused, and stays as it is', () => {
  const refuses = (file: string, words: RegExp, ...flags: string[]): void => {
    const before = sha256(file)
    const { status, stderr } = take(file, 'refused', ...flags)
    assert.deepEqual([status, sha256(file)], [1, before], stderr)
    assert.match(stderr, words)
  }
  const file = makeFile('ext4')
  const device = run('losetup', '--find', '--show', file).trim()
  refuses(file, new RegExp(`${device} is attached`))
  run('losetup', '--detach', device)
  const open = openSync(file, 'r')
  refuses(file, new RegExp(`process ${process.pid} has it open`))
  closeSync(open)
  const link = bench.path('link')
  symlinkSync(file, link)
  refuses(link, /not a regular file/)
  rmSync(link)
  linkSync(file, link)
  refuses(file, /2 names/)
  rmSync(link)
  refuses(makeFile('bytes'), /no ext4 or xfs/)
  refuses(makeFile('bytes', 1000), /multiple of 512/, '--block')
  mkdirSync('/dev/shm/adopt')
  writeFileSync('/dev/shm/adopt/disk', '')
  truncateSync('/dev/shm/adopt/disk', MIB)
  refuses('/dev/shm/adopt/disk', /not on the filesystem/, '--block')
  rmSync('/dev/shm/adopt', { recursive: true })
})

test('a name or a filesystem that there is already is refused; a call that was cut short is finished', async () => {
  const one = asVolume(take(makeFile('ext4'), 'one').stdout, 'ext4')
  const other = makeFile('ext4')
  const before = sha256(other)
  assert.match(take(other, 'one').stderr, /there is a volume/)
  run('tune2fs', '-U', uuidOf(one.data), other)
  assert.match(take(other, 'two').stderr, /has a filesystem|bears a filesystem/)
  assert.notEqual(sha256(other), before) // by tune2fs alone
  assert.ok(existsSync(other))
  // The record is there, the bytes are not: as a crash between the two leaves it.
  const third = makeFile('ext4')
  const volume = asVolume(take(third, 'three').stdout, 'ext4')
  run('mv', volume.data, third)
  assert.equal(take(third, 'three').status, 0)
  await volume.publish()
  await volume.stage()
  assert.equal(readFileSync(join(volume.staging, 'letter'), 'utf8'), 'precious')
})
