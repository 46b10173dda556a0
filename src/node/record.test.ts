// Tests of the stage records: what was written is read back, what cannot be read is never guessed.
import assert from 'node:assert/strict'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { failure, MOUNT, temporaryFolder } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { openRecords, type StageRecord } from './record.ts'

const record: StageRecord = {
  id: '../../etc/passwd',
  stagingPath: '/stage',
  capability: { ...MOUNT, fsType: 'xfs', mountFlags: ['noatime'] },
  formatting: { fsType: 'xfs', uuid: 'u' },
}

describe('a stage record', () => {
  it('is read back by another process, also under an id that is no file name', async t => {
    const folder = join(await temporaryFolder(t), 'state', 'node')
    const records = openRecords(fakeHost([]), folder)
    assert.equal(await records.find(record.id), undefined)
    await records.write(record)
    assert.deepEqual(await openRecords(fakeHost([]), folder).find(record.id), record)
    assert.equal(await records.find('other'), undefined)
    const [name, ...rest] = await readdir(folder)
    assert.match(name ?? '', /^[0-9a-f]{64}\.json$/)
    assert.deepEqual(rest, [])
  })

  it('is replaced whole, and removed without complaint when it is gone', async t => {
    const records = openRecords(fakeHost([]), await temporaryFolder(t))
    await records.write(record)
    await records.write({ id: record.id, stagingPath: '/stage', capability: MOUNT, rootPending: true })
    assert.equal((await records.find(record.id))?.formatting, undefined)
    await records.remove(record.id)
    await records.remove(record.id)
    assert.equal(await records.find(record.id), undefined)
  })

  it('of an unknown version, or torn, is refused and not taken for absent', async t => {
    const folder = await temporaryFolder(t)
    const records = openRecords(fakeHost([]), folder)
    await records.write(record)
    const [name = ''] = await readdir(folder)
    for (const text of [
      `{"version":2,"record":${JSON.stringify(record)}}`,
      '{}',
      '',
      '{"version":1,"rec',
      'null',
      '[]',
    ]) {
      await writeFile(join(folder, name), text)
      await assert.rejects(records.find(record.id), failure('unavailable', /remove it when nothing is staged/), text)
    }
  })

  it('survives a crash in the middle of its replacement', async t => {
    const folder = await temporaryFolder(t)
    const host = fakeHost([])
    await openRecords(host, folder).write(record)
    // What a killed process leaves: a draft beside the file, never half a file.
    const [name = ''] = await readdir(folder)
    await writeFile(join(folder, `${name}.0123456789ab.tmp`), '{"version":1,"rec')
    assert.deepEqual(await openRecords(host, folder).find(record.id), record)
    const failing = { ...host, files: { ...host.files, replace: () => Promise.reject(new Error('ENOSPC')) } }
    await assert.rejects(openRecords(failing, folder).write({ ...record, stagingPath: '/new' }), /ENOSPC/)
    assert.deepEqual(await openRecords(host, folder).find(record.id), record)
  })
})
