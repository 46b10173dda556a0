// Doctor beside a driver at work: what passes by itself is no problem, and what has changed since the look is not mended.
import assert from 'node:assert/strict'
import { mkdir, readdir, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { deviceOf, failure, MOUNT, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import type { HostFiles } from '../host/host.ts'
import { type Entry, openJournal } from '../node/journal.ts'
import { loop } from '../transports/loop.ts'
import { digest, encodeVolumeId } from '../volume/ids.ts'
import { look, mend } from './doctor.ts'
import type { Finding } from './finding.ts'
import { repair } from './repair.ts'
import type { Sites } from './survey.ts'

const op = testOp()
const id = encodeVolumeId('p', 'one')
const LONG_AGO = new Date(Date.now() - 3_600_000)
const ghost: Entry = { id, stagingPath: '/staging', capability: MOUNT, readonly: false, targets: [] }

/** A node without pools; `onList` runs whenever the journal is about to be listed. */
async function setUp(t: TestContext, onList: () => Promise<void> = async () => undefined) {
  const folder = await temporaryFolder(t)
  const fake = fakeHost([], { '/proc/self/mountinfo': '22 1 8:1 / / rw - ext4 /dev/sda1 rw\n' })
  const files: HostFiles = {
    ...fake.files,
    async list(path) {
      const names = await fake.files.list(path)
      if (path === folder) await onList()
      return names
    },
  }
  const host = { ...fake, files }
  const base = { nodeId: 'n', segments: {}, maxVolumesPerNode: 0 }
  const journal = openJournal(host, folder)
  const sites: Sites = {
    controller: { ...base, pools: new Map(), exporters: new Map(), defaultPool: 'p', defaultTransport: 'loop' },
    node: { ...base, host, connectors: new Map([['loop', loop.connector(host)]]), journal },
  }
  return { folder, sites, journal, kernel: fake.kernel }
}

describe('a look', () => {
  it('reports only what is wrong twice', async t => {
    let lists = 0
    const { sites, journal } = await setUp(t, async () => {
      lists += 1
      if (lists === 2) await journal.remove(id)
    })
    await journal.write(ghost)
    const lasting: Entry = { ...ghost, id: encodeVolumeId('p', 'two') }
    await journal.write(lasting)
    const { problems } = await look(sites, op, 1)
    assert.deepEqual(
      problems.map(({ name }) => name),
      [lasting.id],
    )
  })

  it('does not look again where all is in order', async t => {
    let lists = 0
    const { sites } = await setUp(t, async () => {
      lists += 1
    })
    assert.deepEqual((await look(sites, op, 1)).problems, [])
    assert.equal(lists, 1)
  })
})

describe('a repair', () => {
  const finding = (what: Partial<Finding>): Finding => ({
    kind: 'entry',
    name: id,
    verdict: 'ghost',
    found: 'nothing is there',
    remedy: 'none',
    repair: { do: 'forget', id },
    ...what,
  })

  it('forgets the entry of a volume that is not there', async t => {
    const { sites, journal } = await setUp(t)
    await journal.write(ghost)
    await repair(sites, finding({}), op)
    assert.equal(await journal.find(id), undefined)
  })

  it('leaves an entry alone when a call for the volume has begun since', async t => {
    const { sites, journal } = await setUp(t)
    const begun: Entry = { ...ghost, doing: 'stage' }
    await journal.write(begun)
    await assert.rejects(repair(sites, finding({}), op), failure('unavailable', /not as it was a moment ago/))
    assert.deepEqual(await journal.find(id), begun)
  })

  it('leaves a device alone whose number is another disk’s by now', async t => {
    const { sites, kernel } = await setUp(t)
    const { kname, path, number } = deviceOf()
    const files = {
      dev: number,
      size: '2048',
      ro: '0',
      diskseq: '8',
      'loop/backing_file': '/elsewhere',
      'loop/dio': '1',
    }
    for (const [name, text] of Object.entries(files)) kernel.set(`/sys/block/${kname}/${name}`, `${text}\n`)
    const orphan = finding({
      kind: 'device',
      name: path,
      verdict: 'orphan',
      repair: { do: 'detach', id, device: deviceOf() },
    })
    await assert.rejects(repair(sites, orphan, op), failure('unavailable', /not as it was/))
  })

  it('removes an unfinished document, and says what it did; what fails is told and not tried again', async t => {
    const { sites, folder } = await setUp(t)
    const [first, second] = ['aaaaaaaaaaaa', 'bbbbbbbbbbbb'].map(name => join(folder, `${digest(id)}.json.${name}.tmp`))
    assert.ok(first !== undefined && second !== undefined)
    for (const path of [first, second]) {
      await writeFile(path, '{')
      await utimes(path, LONG_AGO, LONG_AGO)
    }
    const before = await look(sites, op, 1)
    await unlink(second)
    await mkdir(join(folder, 'locks'))
    const { mended, after } = await mend(sites, before, op, 1)
    assert.deepEqual(
      mended.map(each => [each.finding.name, each.failure !== undefined]),
      [
        [first, false],
        [second, true],
      ],
    )
    assert.deepEqual(after.problems, [])
    assert.deepEqual(await readdir(folder), ['locks'])
    await assert.rejects(stat(first))
  })
})
