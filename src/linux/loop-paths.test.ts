// What becomes of the paths of loop devices whose container has gone.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeHost } from '../host/fake.ts'
import { wholePath, withWholePaths } from './loop-paths.ts'
import { findLoop } from './losetup.ts'

const ID = `vol-fast-${'0'.repeat(32)}`
const POOLS = { fast: { path: '/srv/fast' }, slow: { path: '/srv/slow' } }

describe('the path of a loop device', () => {
  it('begins with the pool of the volume again', () => {
    assert.equal(wholePath(`/volumes/${ID}/data`, POOLS), `/srv/fast/volumes/${ID}/data`)
    assert.equal(wholePath(`/volumes/${ID}/data (deleted)`, POOLS), `/srv/fast/volumes/${ID}/data (deleted)`)
    assert.equal(wholePath('/loop3', POOLS), '/dev/loop3')
  })

  it('stays what it is when it is whole, elsewhere, or of no volume of a pool', () => {
    const other = `vol-other-${'0'.repeat(32)}`
    const kept = [
      `/srv/fast/volumes/${ID}/data`,
      `/mnt/copy/volumes/${ID}/data`,
      `/volumes/${other}/data`,
      '/data',
      '/dev/loop3',
      '/srv/loop3',
    ]
    for (const path of kept) assert.equal(wholePath(path, POOLS), path)
  })

  it('is read whole by everybody who asks that machine', async () => {
    const files = {
      '/sys/block/loop7/loop/backing_file': `/volumes/${ID}/data\n`,
      '/sys/block/loop7/loop/autoclear': '0\n',
    }
    const host = withWholePaths(fakeHost([], files), POOLS)
    assert.equal((await findLoop(host, 'loop7'))?.backingFile, `/srv/fast/volumes/${ID}/data`)
    assert.equal(await host.files.read('/sys/block/loop9/loop/backing_file'), undefined)
  })
})
