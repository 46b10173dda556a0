// Tests of local files beside a reader; what else files must do is in test/contract/host-files.ts.
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { failure, temporaryFolder } from '../../test/fixtures.ts'
import { localFiles as files } from './local-files.ts'

describe('local files', () => {
  it('show no half of a new file to a reader', async t => {
    const path = join(await temporaryFolder(t), 'file')
    const content = 'x'.repeat(4_000_000)
    const state = { created: false }
    const writing = files.createExclusive(path, content).then(() => {
      state.created = true
    })
    while (!state.created) {
      const seen = await files.read(path)
      assert.ok(seen === undefined || seen.length === content.length)
    }
    await writing
  })

  it('show the old content or the new one, never a mixture or nothing', async t => {
    const folder = await temporaryFolder(t)
    const path = join(folder, 'file')
    const [old, young] = ['a'.repeat(1_000_000), 'b'.repeat(1_000_000)]
    await files.replace(path, old)
    const state = { running: true }
    const writing = (async () => {
      for (let n = 0; n < 6; n += 1) await files.replace(path, n % 2 === 0 ? young : old)
      state.running = false
    })()
    while (state.running) {
      const seen = await files.read(path)
      assert.ok(seen === old || seen === young)
    }
    await writing
    assert.deepEqual(await readdir(folder), ['file'])
  })

  it('are neither made nor changed for a caller who was told already that they are not, and leave no draft', async t => {
    const folder = await temporaryFolder(t)
    const [path, other] = [join(folder, 'file'), join(folder, 'other')]
    await files.replace(path, 'old')
    // When it is asked, the new content is written: it takes time, and that is when the caller goes.
    const seen: number[] = []
    const isLate = () => seen.push(readdirSync(folder).length) > 0
    await assert.rejects(
      files.createExclusive(other, 'new', isLate),
      failure('unavailable', /write .*other: .*too late/),
    )
    await assert.rejects(files.replace(path, 'new', isLate), failure('unavailable', /too late/))
    assert.deepEqual(seen, [2, 2])
    assert.deepEqual(await readdir(folder), ['file'])
    assert.equal(await files.read(path), 'old')
    assert.equal(await files.createExclusive(other, 'new', () => false), true)
  })
})
