// Tests of local files beside a reader; what else files must do is in test/contract/host-files.ts.
import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { temporaryFolder } from '../../test/fixtures.ts'
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
})
