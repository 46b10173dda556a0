// A dead place must not take the others with it.
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { failure, temporaryFolder } from '../../test/fixtures.ts'
import { Unavailable } from '../volume/errors.ts'
import type { HostFiles, TimelyFiles } from './host.ts'
import { isolateFiles } from './isolated-files.ts'
import { localFiles } from './local-files.ts'

function deadBelow(root: string): { files: HostFiles; hanging: () => number; revive: () => void } {
  const stuck: (() => void)[] = []
  return {
    files: {
      ...localFiles,
      read: async path => {
        if (path.startsWith(root)) await new Promise<void>(resolve => stuck.push(resolve))
        return path
      },
    },
    hanging: () => stuck.length,
    revive: () => {
      for (const each of stuck.splice(0)) each()
    },
  }
}

describe('files on storage that may be dead', () => {
  it('tells the caller of a call that hangs, naming the place', async () => {
    const { files } = deadBelow('/pool/a')
    const isolated = isolateFiles(files, ['/pool/a'], 20)
    await assert.rejects(isolated.read('/pool/a/x'), (error: Error) => {
      assert.ok(error instanceof Unavailable)
      assert.match(error.message, /read \/pool\/a\/x: no answer from \/pool\/a within 20 ms/)
      return true
    })
  })

  it('gives a dead place four threads and no more', async () => {
    const { files, hanging } = deadBelow('/pool/a')
    const isolated = isolateFiles(files, ['/pool/a'], 20)
    const calls = Array.from({ length: 20 }, (_, n) => isolated.read(`/pool/a/${n}`))
    const outcomes = await Promise.allSettled(calls)
    assert.ok(outcomes.every(({ status }) => status === 'rejected'))
    assert.equal(hanging(), 4)
  })

  it('lets the other places, the rest and the kernel answer meanwhile', async () => {
    const { files } = deadBelow('/pool/a/')
    const isolated = isolateFiles(files, ['/pool/a', '/pool/b', '/pool'], 50)
    const dead = Promise.allSettled(Array.from({ length: 20 }, (_, n) => isolated.read(`/pool/a/${n}`)))
    for (const path of ['/pool/b/x', '/pool/x', '/pool/ab', '/etc/x', '/proc/self/x']) {
      assert.equal(await isolated.read(path), path)
    }
    await dead
  })

  it('uses a place again that came back', async () => {
    const { files, revive } = deadBelow('/pool/a')
    const isolated = isolateFiles(files, ['/pool/a'], 200)
    await Promise.allSettled(Array.from({ length: 6 }, (_, n) => isolated.read(`/pool/a/${n}`)))
    revive()
    await new Promise(resolve => setImmediate(resolve))
    const again = isolated.read('/pool/a/again')
    await new Promise(resolve => setImmediate(resolve))
    revive()
    assert.equal(await again, '/pool/a/again')
  })

  it('shows nothing of what a caller was told did not happen, when the place comes back', async t => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'claim')
    const { promise: back, resolve: revive } = Promise.withResolvers<void>()
    const ends: Promise<unknown>[] = []
    const slow: TimelyFiles = {
      ...localFiles,
      createExclusive: (...args) => later(() => localFiles.createExclusive(...args)),
      replace: (...args) => later(() => localFiles.replace(...args)),
    }
    const later = <T>(work: () => Promise<T>): Promise<T> => {
      const end = back.then(work)
      ends.push(end.catch(() => undefined))
      return end
    }
    const isolated = isolateFiles(slow, [folder], 300)
    await assert.rejects(isolated.createExclusive(path, 'mine'), failure('unavailable', /no answer/))
    await assert.rejects(isolated.replace(path, 'mine'), failure('unavailable', /no answer/))
    revive()
    await Promise.all(ends)
    assert.deepEqual(await readdir(folder), [])
    assert.equal(await isolated.createExclusive(path, 'mine'), true)
    await isolated.replace(path, 'again')
    assert.equal(await isolated.read(path), 'again')
  })

  it('is patient with a queue that moves, however long it is', async () => {
    const slow = async (path: string) => {
      await sleep(40)
      return path
    }
    const isolated = isolateFiles({ ...localFiles, read: slow }, ['/pool/a'], 200)
    const paths = Array.from({ length: 40 }, (_, n) => `/pool/a/${n}`)
    assert.deepEqual(await Promise.all(paths.map(path => isolated.read(path))), paths)
  })
})
