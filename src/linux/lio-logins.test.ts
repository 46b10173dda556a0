// Tests of closing what has fallen silent: those connections, no others, and none while there is nothing to wait for.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { recordingLogger, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { closeSilentConnections, closingSilentLogins } from './lio-logins.ts'

const LIST = 'ss --tcp --numeric --info --oneline --no-header state established sport = :3260'
const KILL = 'ss --tcp --numeric --kill state established sport = :3260 and dport = :'
const connection = (peer: string, ...info: string[]) =>
  `0      0               10.77.0.1:3260      ${peer}  cubic wscale:7,7 rto:204 ${info.join(' ')} rcv_space:14600`

describe('silent connections to a portal', () => {
  it('are closed, and those that speak are not', async () => {
    const stdout = [
      connection('10.77.0.11:40001', 'lastsnd:12', 'lastrcv:12'),
      connection('10.77.0.11:40002', 'lastsnd:6100', 'lastrcv:6001', 'lastack:6001'),
      connection('10.77.0.11:40003', 'lastsnd:9000'), // it speaks in this very millisecond
      connection('[fd00::2]:40004', 'lastrcv:86400000'),
      '',
    ].join('\n')
    const host = fakeHost([{ run: LIST, stdout }, { run: `${KILL}40002` }, { run: `${KILL}40004` }])
    const lines: string[] = []
    await closeSilentConnections(host, '3260', { ...testOp(), log: recordingLogger(lines) })
    assert.equal(host.left(), 0)
    assert.match(lines[0] ?? '', /10\.77\.0\.11:40002/)
  })

  it('are looked for only as long as somebody waits, who is answered whatever comes of it', async () => {
    const lines: string[] = []
    const op = { ...testOp(), log: recordingLogger(lines) }
    const idle = fakeHost([])
    assert.equal(await closingSilentLogins(idle, ['10.77.0.1:3260'], async () => 'done', op), 'done')
    assert.deepEqual([idle.said, lines], [[], []])
    const asked = Promise.withResolvers<void>()
    const broken = fakeHost([{ run: LIST, code: 1, stderr: 'no ss', effect: () => asked.resolve() }])
    const waited = async () => {
      await asked.promise
      return 'done'
    }
    assert.equal(await closingSilentLogins(broken, ['10.77.0.1:3260', '[fd00::1]:3260'], waited, op), 'done')
    assert.match(lines.join(), /no ss/)
  })
})
