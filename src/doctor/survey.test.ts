// The survey where it cannot see: what was not looked at is named, and nothing is concluded from half of the facts.
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { MIB, MOUNT, temporaryFolder, testOp } from '../../test/fixtures.ts'
import type { ControllerSite } from '../controller/site.ts'
import { fakeHost } from '../host/fake.ts'
import type { HostFiles } from '../host/host.ts'
import { openJournal } from '../node/journal.ts'
import { filePool } from '../pools/file.ts'
import { connectorsOf } from '../transports/index.ts'
import { Unavailable } from '../volume/errors.ts'
import { digest, encodeVolumeId } from '../volume/ids.ts'
import { look } from './doctor.ts'
import { judge } from './judge.ts'
import { type Sites, survey } from './survey.ts'

const op = testOp()
const id = encodeVolumeId('p', 'one')
const KERNEL = { '/proc/self/mountinfo': '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n' }

/** A volume that is claimed by nobody, on a machine with an attached device of it; its files fail as a test wants. */
async function setUp(t: TestContext, fails: (path: string) => Error | undefined = () => undefined) {
  const folder = await temporaryFolder(t)
  const loop = { backing_file: join(folder, 'pool/volumes', id, 'data'), dio: '1', offset: '0', sizelimit: '0' }
  const block = { dev: '7:1', size: '2048', ro: '0', diskseq: '7', 'queue/logical_block_size': '512' }
  const sys = Object.entries({
    ...block,
    ...Object.fromEntries(Object.entries(loop).map(([key, text]) => [`loop/${key}`, text])),
  }).map(([name, text]) => [`/sys/block/loop1/${name}`, `${text}\n`])
  const fake = fakeHost([{ run: /^losetup --json/, stdout: '', repeats: true }], {
    ...KERNEL,
    ...Object.fromEntries(sys),
  })
  const files = new Proxy(fake.files, {
    get: (real, key: keyof HostFiles) => async (path: string, rest: never) => {
      const error = fails(path.replace(folder, ''))
      if (error) throw error
      return await (real[key] as (path: string, rest: never) => Promise<unknown>)(path, rest)
    },
  })
  const config = { type: 'file', path: join(folder, 'pool'), overcommit: 1, sectorSize: 512 } as const
  const pool = await filePool.open(fake, 'p', config)
  const kept = { capabilities: [MOUNT], parameters: {}, transport: 'loop', sectorSize: 512, segments: {} }
  await pool.create({ id, name: 'one', ...kept }, MIB, op)
  const host = { ...fake, files }
  const base = { nodeId: 'n', segments: {}, maxVolumesPerNode: 0 }
  const controller: ControllerSite = {
    ...base,
    pools: new Map([['p', await filePool.visit(host, 'p', config)]]),
    exporters: new Map(),
    defaultPool: 'p',
    defaultTransport: 'loop',
  }
  const connectors = connectorsOf(host, { nodeId: 'n', stateDir: join(folder, 'state') })
  const node = { ...base, host, connectors, journal: openJournal(host, join(folder, 'state')) }
  const sites: Sites = { controller, node }
  return { folder, sites, host }
}

const verdicts = async (sites: Sites): Promise<string[]> =>
  judge(await survey(sites, op)).map(({ verdict, kind }) => `${verdict} ${kind}`)

describe('a survey', () => {
  it('sees the device of a volume, and changes no file', async t => {
    const { sites, folder } = await setUp(t)
    const before = await readdir(folder, { recursive: true })
    // losetup of the fake says nothing of the device, so that it remains in doubt.
    assert.deepEqual(await verdicts(sites), ['ok volume', 'mismatch device'])
    assert.deepEqual(await readdir(folder, { recursive: true }), before)
  })

  const hidden: [string, RegExp, string[]][] = [
    ['the journal', /^\/state/, ['ok volume']],
    ['pool p', /^\/pool\/volumes/, []],
  ]
  for (const [what, path, expected] of hidden) {
    it(`without ${what} says so, and nothing that would depend on it`, async t => {
      const dead = new Unavailable({ asked: 'read', found: 'no answer', next: 'check the disk' })
      let isDead = false
      const { sites } = await setUp(t, each => (isDead && path.test(each) ? dead : undefined))
      isDead = true
      const facts = await survey(sites, op)
      assert.deepEqual(facts.unseen, [{ what, why: dead.message }])
      assert.deepEqual(await verdicts(sites), expected)
      assert.deepEqual((await look(sites, op)).problems, [])
    })
  }

  it('takes a missing state folder for an empty journal, and a bug for a bug', async t => {
    const { sites } = await setUp(t)
    assert.deepEqual((await survey(sites, op)).node?.journal, [])
    let isBroken = false
    const broken = await setUp(t, () => (isBroken ? new TypeError('a bug') : undefined))
    isBroken = true
    await assert.rejects(survey(broken.sites, op), TypeError)
  })

  it('reads every file of the journal, also those that it cannot understand', async t => {
    const { sites, folder } = await setUp(t)
    const state = join(folder, 'state')
    await mkdir(join(state, 'locks'), { recursive: true })
    await writeFile(join(state, `${digest(id)}.json`), '{"version":9}')
    await writeFile(join(state, `${digest(id)}.json.0123456789ab.tmp`), '{')
    await writeFile(join(state, 'notes.txt'), 'of somebody')
    const found = (await survey(sites, op)).node?.journal.map(each => Object.keys(each).at(-1))
    assert.deepEqual(found, ['unreadable', 'draft'])
  })
})
