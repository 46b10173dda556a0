// What the host cannot prove is proven in a guest by the same tests: the loop layer, and csi-sanity for ext4.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { REPORT_DIRECTORY_ENV } from '../layers/table.ts'
import { GUEST_OUT, type Guest, withGuest } from './guest.ts'

const COMMANDS = {
  'csi-sanity passes for ext4 in one process':
    'node test/sanity/run-sanity.ts --mode all-in-one --access mount --fs ext4 --json $ASHLAR_GUEST_OUT/sanity.json',
  'csi-sanity passes for ext4 in two processes':
    'node test/sanity/run-sanity.ts --mode split --access mount --fs ext4 --json $ASHLAR_GUEST_OUT/sanity-split.json',
  'the loop layer passes where a mounted ext4 can grow': 'node test/run.ts loop --json $ASHLAR_GUEST_OUT/loop.json',
}

/** The guest's reports become a part of this run's counts. */
function fetchReports(guest: Guest): void {
  const given = process.env[REPORT_DIRECTORY_ENV]
  const directory = given ?? mkdtempSync(join(tmpdir(), 'ashlar-guest-'))
  guest.fetch(directory)
  if (given === undefined) rmSync(directory, { recursive: true })
}

test('in a guest', async context => {
  await withGuest(async guest => {
    for (const [name, command] of Object.entries(COMMANDS)) {
      await context.test(name, async () => {
        const { code, stdout, stderr } = await guest.run(`mkdir -p ${GUEST_OUT} && ${command}`, { timeout: 2400 })
        assert.equal(code, 0, `${stdout}${stderr}`)
      })
    }
    fetchReports(guest)
  })
})
