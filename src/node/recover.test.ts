// Tests of recovery: what was begun is taken back or ended, what is at rest is left, and nothing keeps the others from it.
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { MOUNT, recordingLogger, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import { type Entry, openJournal } from './journal.ts'
import { isInterrupted, recover } from './recover.ts'
import type { NodeSite } from './site.ts'

const op = testOp()
const entryOf = (id: string, rest: Partial<Entry> = {}): Entry => ({
  id,
  stagingPath: `/stage/${id}`,
  capability: { ...MOUNT, fsType: 'ext4' },
  readonly: false,
  targets: [],
  ...rest,
})
const target = (path: string, doing?: 'publish' | 'unpublish') => ({ path, readonly: false, ...(doing && { doing }) })
const mounted = (number: string, path: string) => `40 25 ${number} / ${path} rw - ext4 /dev/loop7 rw\n`

async function nodeWith(t: TestContext, entries: readonly Entry[], script: readonly Line[] = [], mounts = '') {
  const folder = await temporaryFolder(t)
  const host = fakeHost(script, { '/proc/self/mountinfo': mounts, '/sys/block/loop7/dev': '7:7\n' })
  const journal = openJournal(host, folder)
  for (const entry of entries) await journal.write(entry)
  const base = { nodeId: 'n', segments: {}, maxVolumesPerNode: 0 }
  const site: NodeSite = { ...base, host, journal, connectors: new Map() }
  const lines: string[] = []
  const left = async () =>
    (await journal.inventory())
      .flatMap(each => ('entry' in each ? [each.entry] : []))
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  return {
    folder,
    host,
    journal,
    site,
    lines,
    left,
    start: () => recover(site, { ...op, log: recordingLogger(lines) }),
  }
}

const absent = (path: string): Line => ({
  run: `stat --format %F -- ${path}`,
  code: 1,
  stderr: 'No such file or directory',
})

describe('recovery', () => {
  it('forgets a stage and an unstage of which the kernel shows nothing, and leaves what is at rest', async t => {
    const rest = entryOf('c', { targets: [target('/pods/c')], growthFailure: 'no privilege' })
    const { host, start, left, lines } = await nodeWith(t, [
      entryOf('a', { doing: 'stage' }),
      entryOf('b', { doing: 'unstage' }),
      rest,
    ])
    await start()
    assert.deepEqual(await left(), [rest])
    assert.equal(lines.length, 2, 'what is at rest is not even waited for')
    assert.deepEqual(host.said, [])
  })

  it('takes back each target that was begun, and no other', async t => {
    const targets = [target('/pods/1', 'publish'), target('/pods/2'), target('/pods/3', 'unpublish')]
    const script = [absent('/pods/1'), absent('/pods/3')]
    const { host, start, left } = await nodeWith(t, [entryOf('a', { targets })], script)
    await start()
    assert.deepEqual(await left(), [entryOf('a', { targets: [target('/pods/2')] })])
    assert.equal(host.left(), 0)
  })

  it('unmounts what it began to mount, thawed and written back, and neither formats, checks, mounts nor grows', async t => {
    const { host, start, left } = await nodeWith(
      t,
      [entryOf('a', { doing: 'stage' })],
      [
        { run: 'fsfreeze --unfreeze /stage/a', code: 1 },
        { run: 'sync --file-system -- /stage/a' },
        { run: 'umount -- /stage/a', effect: () => host.kernel.set('/proc/self/mountinfo', '') },
      ],
      // Its device has gone: only the journal knows whose it is.
      mounted('7:9', '/stage/a'),
    )
    await start()
    assert.deepEqual(await left(), [])
    assert.equal(host.left(), 0)
  })

  it('leaves a volume that it cannot settle as it is, says so, and goes on with the next', async t => {
    const busy: Line[] = [
      { run: 'fsfreeze --unfreeze /stage/a', code: 1 },
      { run: 'sync --file-system -- /stage/a' },
      { run: 'umount -- /stage/a', code: 32, stderr: 'target is busy' },
    ]
    // By their digests b comes before a, and g after it.
    const entries = ['a', 'b', 'g'].map(id => entryOf(id, { doing: 'stage' }))
    const { start, left, lines } = await nodeWith(t, entries, busy, mounted('7:9', '/stage/a'))
    await start()
    const [stuck, ...more] = await left()
    assert.deepEqual([stuck?.id, stuck && isInterrupted(stuck), more], ['a', true, []])
    assert.match(lines.join('\n'), /could not settle/)
    assert.match(lines.join('\n'), /target is busy/)
  })

  it('touches no mount of somebody else at the path', async t => {
    const entries = [entryOf('a', { doing: 'stage' })]
    const foreign = '40 25 0:77 / /stage/a rw - tmpfs tmpfs rw\n'
    const { host, start, left } = await nodeWith(t, entries, [], foreign)
    await start()
    assert.deepEqual(await left(), entries)
    assert.deepEqual(host.said, [])
  })

  it('is not kept from the others by an entry of a later version, and does not remove it', async t => {
    const { folder, start, left, lines, journal } = await nodeWith(t, [entryOf('b', { doing: 'stage' })])
    const later = join(folder, `${'0'.repeat(64)}.json`)
    await writeFile(later, '{"version": 99, "entry": {}}')
    await start()
    assert.equal(await journal.find('b'), undefined)
    assert.deepEqual(await left(), [])
    assert.ok((await readdir(folder)).includes('0'.repeat(64).concat('.json')))
    assert.match(lines.join('\n'), /unreadable/)
  })

  it('never throws, also when the journal cannot be read at all', async t => {
    const { folder, site, lines } = await nodeWith(t, [])
    await mkdir(join(folder, `${'0'.repeat(64)}.json`))
    await recover(site, { ...op, log: recordingLogger(lines) })
    assert.match(lines.join('\n'), /could not read the journal/)
  })
})
