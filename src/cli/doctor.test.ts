// The arguments of `doctor`, its table, its JSON, and its exit codes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, MIB } from '../../test/fixtures.ts'
import type { Report } from '../doctor/doctor.ts'
import type { Finding } from '../doctor/finding.ts'
import { exitCode, jsonOf, parseDoctor, runDoctor, tableOf } from './doctor.ts'
import { createTerminal } from './terminal.ts'

const NOW = new Date('2026-01-01T12:00:00Z')
const ago = (ms: number) => new Date(NOW.getTime() - ms)
const orphan: Finding = {
  kind: 'device',
  name: '/dev/loop7',
  volume: 'vol-p-1',
  verdict: 'orphan',
  changed: ago(7_200_000),
  size: 64n * MIB,
  found: 'nobody knows of it',
  remedy: 'detach it',
  repair: { do: 'detach', id: 'vol-p-1', device: deviceOf() },
}
const young: Finding = {
  kind: 'entry',
  name: 'vol-p-2',
  volume: 'vol-p-2',
  verdict: 'mismatch',
  changed: ago(2_000),
  found: 'begun',
  remedy: 'wait',
}
const fine: Finding = { kind: 'volume', name: 'vol-p-3', verdict: 'ok', found: 'in order', remedy: '' }
const report = (problems: Finding[], unseen: Report['unseen'] = []): Report => ({
  at: NOW,
  problems,
  inOrder: [fine],
  ok: 1,
  unseen,
})
const wanted = { json: false, repair: false, all: false, rest: [] }

describe('doctor', () => {
  it('takes its own flags, and leaves those of the driver', () => {
    assert.deepEqual(parseDoctor(['--json', '--config', 'x.json', '--repair', '--all']), {
      json: true,
      repair: true,
      all: true,
      rest: ['--config', 'x.json'],
    })
  })

  it('ends with 0 when all is in order, 1 for problems, 2 when it could not look', async t => {
    assert.equal(exitCode(report([])), 0)
    assert.equal(exitCode(report([orphan])), 1)
    assert.equal(exitCode(report([orphan], [{ what: 'pool p', why: 'no answer' }])), 2)
    const said = t.mock.method(process.stderr, 'write', () => true)
    assert.equal(await runDoctor([], () => Promise.reject(new Error('wrong flags'))), 2)
    assert.match(String(said.mock.calls[0]?.arguments[0]), /could not look: wrong flags/)
  })

  it('prints a row an object, with what to do, and says what may be a call under way', () => {
    const plain = createTerminal({ write: () => undefined }, {})
    assert.deepEqual(tableOf(plain, [orphan, young, fine], NOW, false), [
      'VERDICT   KIND    AGE     SIZE      NAME',
      'orphan    device  2 h     0.06 GiB  /dev/loop7',
      '    volume: vol-p-1',
      '    found: nobody knows of it',
      '    remedy: detach it',
      '    --repair would detach /dev/loop7, if nothing uses it',
      'mismatch  entry   2.00 s  -         vol-p-2',
      '    found: begun',
      '    note: it changed a moment ago; a call may be under way: look again',
      '    remedy: wait',
      'ok        volume  -       -         vol-p-3',
    ])
    assert.ok(!tableOf(plain, [orphan], NOW, true).some(line => line.includes('--repair')))
    assert.deepEqual(tableOf(plain, [], NOW, false), [])
  })

  it('prints JSON that programs can rely upon', () => {
    const problem = {
      kind: 'device',
      name: '/dev/loop7',
      volume: 'vol-p-1',
      verdict: 'orphan',
      ageSeconds: 7200,
      young: false,
      sizeBytes: '67108864',
      found: 'nobody knows of it',
      remedy: 'detach it',
      repair: 'detach /dev/loop7, if nothing uses it',
    }
    const base = { version: 1, at: NOW.toISOString(), ok: 1, unseen: [] }
    assert.deepEqual(jsonOf(report([orphan]), [], wanted), { ...base, problems: [problem] })
    const failed = { finding: orphan, failure: 'it is busy' }
    assert.deepEqual(jsonOf(report([]), [{ finding: orphan }, failed], { ...wanted, repair: true }), {
      ...base,
      problems: [],
      repairs: [
        { ...problem, done: true, failure: null },
        { ...problem, done: false, failure: 'it is busy' },
      ],
    })
  })
})
