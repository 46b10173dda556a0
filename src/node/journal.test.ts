// Tests of the host journal: what was written is read back, what cannot be read is never guessed.
import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { failure, MOUNT, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { localHost } from '../host/local.ts'
import { CommandFailed } from '../volume/errors.ts'
import { type Entry, encodeEntry, openJournal, parseEntry } from './journal.ts'

const op = testOp()
const entry: Entry = {
  id: '../../etc/passwd',
  stagingPath: '/stage',
  capability: { ...MOUNT, fsType: 'xfs', mountFlags: ['noatime'] },
  readonly: false,
  doing: 'stage',
  targets: [{ path: '/pods/1', readonly: true, doing: 'publish' }],
  growthFailure: 'no privilege',
}

describe('a journal entry', () => {
  it('is read back by another process, also under an id that is no file name', async t => {
    const folder = join(await temporaryFolder(t), 'state', 'node')
    const journal = openJournal(fakeHost([]), folder)
    assert.equal(await journal.find(entry.id), undefined)
    assert.deepEqual(await journal.inventory(), [])
    await journal.write(entry)
    const other = openJournal(fakeHost([]), folder)
    assert.deepEqual(await other.find(entry.id), entry)
    assert.deepEqual(
      (await other.inventory()).map(each => ('entry' in each ? each.entry : each)),
      [entry],
    )
    assert.equal(await journal.find('other'), undefined)
    const [name, ...rest] = await readdir(folder)
    assert.match(name ?? '', /^[0-9a-f]{64}\.json$/)
    assert.deepEqual(rest, [])
  })

  it('is replaced whole, and removed without complaint when it is gone', async t => {
    const journal = openJournal(fakeHost([]), await temporaryFolder(t))
    await journal.write(entry)
    await journal.write({ ...entry, targets: [] })
    assert.deepEqual((await journal.find(entry.id))?.targets, [])
    await journal.remove(entry.id)
    await journal.remove(entry.id)
    assert.equal(await journal.find(entry.id), undefined)
  })

  it('of version 1 is understood: it was written by 0.1.0', () => {
    const { id, stagingPath, capability } = entry
    const record = { id, stagingPath, capability, rootPending: true }
    const expected = { id, stagingPath, capability, readonly: false, targets: [] }
    assert.deepEqual(parseEntry(JSON.stringify({ version: 1, record }), '/x'), expected)
  })

  it('of an unknown version, or torn, is refused and not taken for absent', async t => {
    const folder = await temporaryFolder(t)
    const journal = openJournal(fakeHost([]), folder)
    await journal.write(entry)
    const [name = ''] = await readdir(folder)
    const whole = encodeEntry(entry)
    const future = whole.replace('"version": 2', '"version": 3')
    for (const text of [future, whole.slice(0, -9), '{}', '', '{"version":2}', '{"version":1}', 'null', '[]']) {
      await writeFile(join(folder, name), text)
      await assert.rejects(journal.find(entry.id), failure('unavailable', /remove it when nothing is staged/), text)
      assert.ok(
        (await journal.inventory()).every(each => 'unreadable' in each),
        text,
      )
    }
  })

  it('survives a crash in the middle of its replacement', async t => {
    const folder = await temporaryFolder(t)
    const host = fakeHost([])
    await openJournal(host, folder).write(entry)
    // What a killed process leaves: a draft beside the file, never half a file.
    const [name = ''] = await readdir(folder)
    await writeFile(join(folder, `${name}.0123456789ab.tmp`), '{"version":2,"ent')
    assert.deepEqual(await openJournal(host, folder).find(entry.id), entry)
    assert.equal((await openJournal(host, folder).inventory()).filter(each => 'entry' in each).length, 1)
    const failing = { ...host, files: { ...host.files, replace: () => Promise.reject(new Error('ENOSPC')) } }
    await assert.rejects(openJournal(failing, folder).write({ ...entry, stagingPath: '/new' }), /ENOSPC/)
    assert.deepEqual(await openJournal(host, folder).find(entry.id), entry)
    await openJournal(host, folder).remove(entry.id)
    assert.deepEqual(await readdir(folder), [])
  })
})

describe('being alone with a volume', () => {
  it('keeps other processes away for as long as the work takes, and no longer', async t => {
    const folder = await temporaryFolder(t)
    const here = openJournal(localHost(), folder)
    const there = openJournal(localHost(), folder)
    const order: string[] = []
    const gate = Promise.withResolvers<void>()
    const started = Promise.withResolvers<void>()
    const first = here.alone('a', op, async () => {
      started.resolve()
      await gate.promise
      order.push('first')
    })
    await started.promise
    const second = there.alone('a', op, async () => order.push('second'))
    await here.alone('b', op, async () => order.push('another volume'))
    gate.resolve()
    await Promise.all([first, second])
    assert.deepEqual(order, ['another volume', 'first', 'second'])
  })

  it('leaves no lock behind for a volume that has no entry, and keeps that of one that has', async t => {
    const folder = await temporaryFolder(t)
    const journal = openJournal(localHost(), folder)
    await journal.alone('unknown', op, async () => undefined)
    assert.deepEqual(await readdir(join(folder, 'locks')), [])
    await journal.alone(entry.id, op, async () => await journal.write(entry))
    assert.equal((await readdir(join(folder, 'locks'))).length, 1)
    await journal.alone(entry.id, op, async () => await journal.remove(entry.id))
    assert.deepEqual(await readdir(join(folder, 'locks')), [])
  })

  it('is had by one at a time though the lock goes and comes again each time', async t => {
    const folder = await temporaryFolder(t)
    let inside = 0
    let most = 0
    const one = async () => {
      inside += 1
      most = Math.max(most, inside)
      await new Promise(resolve => setImmediate(resolve))
      inside -= 1
    }
    const journals = Array.from({ length: 2 }, () => openJournal(localHost(), folder))
    await Promise.all(journals.flatMap(journal => [1, 2, 3].map(() => journal.alone('a', op, one))))
    assert.equal(most, 1)
    assert.deepEqual(await readdir(join(folder, 'locks')), [])
  })

  it('ends also when the work fails', async t => {
    const journal = openJournal(localHost(), await temporaryFolder(t))
    await assert.rejects(
      journal.alone('a', op, () => Promise.reject(new Error('no'))),
      /no/,
    )
    assert.equal(await journal.alone('a', op, async () => 'yes'), 'yes')
  })

  it('is not had at all where the lock cannot be taken', async t => {
    const folder = await temporaryFolder(t)
    await mkdir(join(folder, 'locks', '0'.repeat(8)), { recursive: true })
    const host = { ...localHost(), hold: () => Promise.reject(failureOf75()) }
    await assert.rejects(
      openJournal(host, folder).alone('a', op, async () => assert.fail('it ran')),
      failure('aborted', /another process/),
    )
  })
})

function failureOf75(): Error {
  return new CommandFailed({ asked: 'flock', found: 'exit code 75', next: '', code: 75 })
}
