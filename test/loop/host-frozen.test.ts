// This machine with a filesystem that hangs, for real: nobody waits for it, and nothing happens behind a caller's back.
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmdirSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { isolateFiles } from '../../src/host/isolated-files.ts'
import { localHost } from '../../src/host/local.ts'
import { localFiles } from '../../src/host/local-files.ts'
import { failure, testOp } from '../fixtures.ts'
import { waitUntil } from '../patience.ts'
import { run } from './machine.ts'

/** A filesystem that is frozen; a watchdog thaws it should the test process die before. */
const frozen = (t: TestContext): { folder: string; thaw: () => void } => {
  const place = mkdtempSync(join(tmpdir(), 'ashlar-frozen-'))
  const [image, mount] = [join(place, 'image'), join(place, 'mount')]
  writeFileSync(image, '')
  truncateSync(image, 64 * 1024 * 1024)
  run('mkfs.ext4', '-q', image)
  mkdirSync(mount)
  run('mount', '-o', 'loop', image, mount)
  const folder = join(mount, 'folder')
  mkdirSync(folder)
  const watchdog = spawn('sh', ['-c', 'sleep 180; fsfreeze --unfreeze "$0"', mount], {
    detached: true,
    stdio: 'ignore',
  })
  const thaw = () => {
    spawnSync('fsfreeze', ['--unfreeze', mount]) // fails when it is thawed already
  }
  t.after(() => {
    thaw()
    if (watchdog.pid !== undefined) process.kill(-watchdog.pid, 'SIGKILL')
    run('umount', mount)
    unlinkSync(image)
    for (const each of [mount, place]) rmdirSync(each)
  })
  run('fsfreeze', '--freeze', mount)
  return { folder, thaw }
}

test('a lock on a filesystem that hangs is answered, takes one process however often it is wanted, and comes back', async t => {
  const { folder, thaw } = frozen(t)
  const host = localHost()
  const hold = () =>
    host.hold({ file: 'flock', args: ['--no-fork', join(folder, 'lock'), 'cat'], timeoutMs: 1500 }, testOp())
  await assert.rejects(hold(), failure('unavailable', /does not even end when killed/))
  await assert.rejects(hold(), failure('unavailable', /an earlier process still hangs in the kernel/))
  thaw()
  await waitUntil('a lock', async () => {
    try {
      await (await hold())()
      return true
    } catch {
      return false
    }
  })
})

test('a file on a filesystem that hangs does not appear after its caller was told that it did not', async t => {
  const { folder, thaw } = frozen(t)
  const ends: Promise<unknown>[] = []
  const files = isolateFiles(
    {
      ...localFiles,
      createExclusive: (...args) => noted(localFiles.createExclusive(...args)),
      replace: (...args) => noted(localFiles.replace(...args)),
    },
    [folder],
    500,
  )
  const noted = <T>(work: Promise<T>): Promise<T> => {
    ends.push(work)
    return work
  }
  await assert.rejects(files.createExclusive(join(folder, 'a'), 'mine'), failure('unavailable', /no answer/))
  await assert.rejects(files.replace(join(folder, 'b'), 'mine'), failure('unavailable', /no answer/))
  thaw()
  assert.equal(ends.length, 2)
  for (const end of ends) await assert.rejects(end, failure('unavailable', /too late/))
  assert.deepEqual(readdirSync(folder), [])
})
