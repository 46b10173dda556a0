// What the host cannot prove is proven in guests by the same tests: a mounted ext4 grows, and in a long run more on an older kernel.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { REPORT_DIRECTORY_ENV } from '../layers/table.ts'
import { isLong } from '../scale.ts'
import { GUEST_OUT, type Guest, withGuest } from './guest.ts'

/** Not the whole loop layer: an emulated processor starts a process in a tenth of a second. */
const loopLayer = (files: string, report: string) =>
  `node test/run.ts loop --files 'loop/(${files})[.]' --json $ASHLAR_GUEST_OUT/${report}.json`

/** Of the ways to run csi-sanity one: what two processes do differently, the host shows. */
const SANITY =
  'node test/sanity/run-sanity.ts --mode all-in-one --access mount --fs ext4 --json $ASHLAR_GUEST_OUT/sanity.json'

/** What every run does on this kernel (6.1) in the iSCSI layer, or much of it. */
const LONG = {
  'the loop layer passes on an older kernel': loopLayer('data-safety|mounting', 'older'),
  'csi-sanity passes for ext4': SANITY,
}

const COMMANDS: Readonly<Record<string, string>> = {
  'the loop layer passes where a mounted ext4 can grow': loopLayer('expansion', 'growth'),
  ...(isLong ? LONG : {}),
}

/** The guest's reports become a part of this run's counts. */
function fetchReports(guest: Guest): void {
  const given = process.env[REPORT_DIRECTORY_ENV]
  const directory = given ?? mkdtempSync(join(tmpdir(), 'ashlar-guest-'))
  guest.fetch(directory)
  if (given === undefined) rmSync(directory, { recursive: true })
}

async function runInGuest(command: string): Promise<void> {
  await withGuest(async guest => {
    // Emulated processors are twenty times slower: the crowds are smaller there, the tests are the same.
    const env = { ASHLAR_TEST_SCALE: '0.2' }
    const { code, stdout, stderr } = await guest.run(`mkdir -p ${GUEST_OUT} && ${command}`, { timeout: 3000, env })
    fetchReports(guest)
    assert.equal(code, 0, `${stdout}${stderr}`)
  })
}

test('in guests', { concurrency: 2 }, async t => {
  await Promise.all(Object.entries(COMMANDS).map(([name, command]) => t.test(name, () => runInGuest(command))))
})
