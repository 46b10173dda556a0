// Whose work folder is it: a living demo's, a dead one's, or nobody's that we know.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { localHost } from '../host/local.ts'
import { encodeRunName, judgeRun, parseRunName, parseStart, readStart } from './demo-run.ts'

const owner = { boot: '0123abcd', pid: 42, start: '9876543210' }

describe('the name of a work folder', () => {
  it('comes back as it was made', () => assert.deepEqual(parseRunName(encodeRunName(owner)), owner))
  for (const name of [
    '',
    'lost+found',
    '..',
    '0123abcd-42',
    '0123abcd-0-1',
    '0123abcd-42-1x',
    'x0123abcd-42-1',
    '0123abcd-42-1\n',
  ])
    it(`is not ${JSON.stringify(name)}`, () => assert.equal(parseRunName(name), undefined))
})

describe('parseStart', () => {
  const stat = (command: string, state: string) =>
    `42 (${command}) ${state} 1 42 42 0 -1 4194560 5 0 0 0 1 2 0 0 20 0 11 0 9876543210 1000 200 18446744073709551615`
  it('reads field 22', () => assert.equal(parseStart(stat('node', 'S')), '9876543210'))
  it('is not fooled by a command with parentheses and spaces', () =>
    assert.equal(parseStart(stat('a) S 1 (b', 'R')), '9876543210'))
  it('takes a zombie for dead', () => assert.equal(parseStart(stat('node', 'Z')), undefined))
  it('takes no process for dead', () => assert.equal(parseStart(undefined), undefined))
})

describe('readStart', () => {
  it('finds this process, and always the same', async () => {
    const first = await readStart(localHost(), process.pid)
    assert.match(first ?? '', /^\d+$/)
    assert.equal(await readStart(localHost(), process.pid), first)
  })
  it('finds no process with an id beyond the kernel’s largest', async () =>
    // PID_MAX_LIMIT is 2^22 on 64-bit kernels: proc(5), /proc/sys/kernel/pid_max
    assert.equal(await readStart(localHost(), 2 ** 22 + 1), undefined))
})

describe('judgeRun', () => {
  it('leaves what is not ours', () => assert.equal(judgeRun(undefined, owner.boot, owner.start), 'foreign'))
  it('leaves a living demo', () => assert.equal(judgeRun(owner, owner.boot, owner.start), 'live'))
  it('knows a dead one', () => assert.equal(judgeRun(owner, owner.boot, undefined), 'dead'))
  it('knows one whose pid another process has now', () => assert.equal(judgeRun(owner, owner.boot, '1'), 'dead'))
  it('knows one of an earlier boot', () => assert.equal(judgeRun(owner, 'ffffffff', owner.start), 'dead'))
})
