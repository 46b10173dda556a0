// A disk that does not answer, below one of two pools: device-mapper can suspend one, and only a guest has it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { withGuest } from './guest.ts'

test('volumes on a suspended disk answer errors, and those of another pool work', async () => {
  await withGuest(async guest => {
    const { code, stdout, stderr } = await guest.run('modprobe dm_mod && node test/vm/suspended-life.ts', {
      timeout: 600,
    })
    assert.equal(code, 0, `${stdout}${stderr}`)
  })
})
