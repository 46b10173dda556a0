// Target `tgt` with a real tgtd and a real initiator: needs SCSI and device-mapper, which only a guest has.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { programLine } from '../programs.ts'
import { withGuest } from './guest.ts'

test('tgt serves a volume, takes rights away for certain, and survives the death of tgtd', async () => {
  await withGuest(
    async guest => {
      const { code, stdout, stderr } = await guest.run(programLine('tgt-life'), { timeout: 3000 })
      assert.equal(code, 0, `${stdout}${stderr}`)
      process.stdout.write(stdout)
    },
    { programs: ['test/vm/tgt-life.ts'] },
  )
})
