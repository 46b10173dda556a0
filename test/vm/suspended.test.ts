// A disk that does not answer, below one of two pools: device-mapper can suspend one, and only a guest has it.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { programLine } from '../programs.ts'
import { withGuest } from './guest.ts'

test('volumes on a suspended disk answer errors, and those of another pool work', async () => {
  await withGuest(
    async guest => {
      const { code, stdout, stderr } = await guest.run(`modprobe dm_mod && ${programLine('suspended-life')}`, {
        timeout: 3000,
      })
      assert.equal(code, 0, `${stdout}${stderr}`)
    },
    { programs: ['test/vm/suspended-life.ts'] },
  )
})
