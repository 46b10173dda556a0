// Tests of iscsiadm: what each exit code means, and records that change where they must and nowhere else.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RECORD } from '../../test/fake-initiator.ts'
import { failure, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import { Secret } from '../volume/secret.ts'
import { createRecord, deleteRecords, login, logout, type RecordSettings, rewriteRecord } from './iscsiadm.ts'

const op = testOp()
const TARGET = 'iqn.2026-01.dev.ashlar:vol-p-1'
const PORTAL = { target: TARGET, portal: '[fd00::1]:3260' }
const SETTINGS: RecordSettings = {
  initiator: 'iqn.2026-01.dev.ashlar:node.n1',
  loginTimeoutSeconds: 5,
  replacementTimeoutSeconds: 60,
  noopIntervalSeconds: 6,
  noopTimeoutSeconds: 7,
  chap: undefined,
}
const initiator = (script: readonly Line[], kernel: Record<string, string> = {}) => {
  const fake = fakeHost(script, kernel)
  // Files below the root of the host are the kernel's to the fake, which cannot remove those.
  const removeFile = async (path: string) => void fake.kernel.delete(path)
  const host = { ...fake, files: { ...fake.files, removeFile, removeDirectory: async () => undefined } }
  return { host, root: '/proc/1/root' }
}
const LOGIN = `iscsiadm -m node -I default -T ${TARGET} -p [fd00::1]:3260,1 --login`
const LOGOUT = 'iscsiadm -m session -r 7 --logout'
const NEW = `iscsiadm -m node -o new -I default -T ${TARGET} -p [fd00::1]:3260,1`
const NODES = `/etc/iscsi/nodes/${TARGET}`

describe('exit codes', () => {
  it('of a login are an answer, in words, or the reason why nothing works', async () => {
    const meanings: [number, RegExp | undefined][] = [
      [0, undefined],
      [15, undefined],
      [4, /broke/],
      [5, /refused/],
      [8, /cannot be reached/],
      [11, /does not answer/],
      [19, /refused.*prove itself/],
      [21, /record vanished/],
      [24, /no ACL.*CHAP/],
    ]
    for (const [code, words] of meanings) {
      const reason = await login(initiator([{ run: LOGIN, code }]), PORTAL, 1000, op)
      if (words) assert.match(reason ?? '', words, String(code))
      else assert.equal(reason, undefined, String(code))
    }
    const fails = (code: number) => login(initiator([{ run: LOGIN, code }]), PORTAL, 1000, op)
    await assert.rejects(fails(20), failure('unavailable', /iscsid is not running.*systemctl start iscsid/))
    await assert.rejects(fails(9), failure('unavailable', /exit code 9/))
    await assert.rejects(fails(127), failure('unavailable', /exit code 127/))
  })

  it('of a logout: gone is gone, and in use is told', async () => {
    for (const code of [0, 21, 22]) await logout(initiator([{ run: LOGOUT, code }]), 7, op)
    const fails = (code: number) => logout(initiator([{ run: LOGOUT, code }]), 7, op)
    await assert.rejects(fails(28), failure('failed-precondition', /mounted.*unmount it/))
    await assert.rejects(fails(32), failure('unavailable', /restarted/))
    await assert.rejects(fails(20), failure('unavailable', /iscsid is not running/))
    await assert.rejects(fails(10), failure('unavailable', /exit code 10/))
  })

  it('of the end of records: none is fine, and iscsiadm is not asked where there are none', async () => {
    const line = `iscsiadm -m node -o delete -T ${TARGET}`
    const there = { [`/proc/1/root${NODES}/fd00::1,3260,1/default`]: RECORD }
    for (const code of [0, 6, 21]) {
      const some = initiator([{ run: line, code }], there)
      await deleteRecords(some, TARGET, op)
      assert.equal(some.host.kernel.size, 0, 'what iscsiadm cannot read goes all the same')
    }
    await assert.rejects(
      deleteRecords(initiator([{ run: line, code: 15 }], there), TARGET, op),
      failure('unavailable', /has come up/),
    )
    await deleteRecords(initiator([]), TARGET, op)
  })
})

describe('a record', () => {
  const path = `${NODES}/fd00::1,3260,1/default`
  const write = (at: string) => `dd of=${at} bs=1M iflag=fullblock conv=notrunc,nocreat,fsync status=none`

  it('is made, read through the root of its host, and written over in one piece', async () => {
    const there = initiator([{ run: NEW }, { run: write(path) }], { [`/proc/1/root${path}`]: RECORD })
    await createRecord(there, PORTAL, SETTINGS, op)
    assert.ok(there.host.commands[1]?.stdin instanceof Secret)
    const elsewhere = path.replace('/etc', '/var/lib')
    const other = initiator([{ run: NEW }, { run: write(elsewhere) }], { [`/proc/1/root${elsewhere}`]: RECORD })
    await createRecord(other, PORTAL, SETTINGS, op)
  })

  it('that cannot be made says why', async () => {
    const broken = [
      { run: NEW, code: 6, stderr: 'lock' },
      { run: NEW, code: 6, stderr: 'no lock' },
    ]
    await assert.rejects(createRecord(initiator(broken), PORTAL, SETTINGS, op), failure('unavailable', /no lock/))
    await assert.rejects(
      createRecord(initiator([{ run: NEW }]), PORTAL, SETTINGS, op),
      failure('internal', /no record/),
    )
  })

  const line = fc
    .tuple(fc.constantFrom('node', 'iface', 'node.session.auth', 'node.conn[0]'), fc.stringMatching(/^[a-z_]{1,9}$/))
    .map(([group, key]) => `${group}.own_${key} = value`)
  const chap = fc.option(
    fc.record({
      user: fc.constant('user'),
      password: fc.constant(new Secret('sesame')),
      mutual: fc.constant({ user: 'user-in', password: new Secret('sesame-in') }),
    }),
    { nil: undefined },
  )

  it('changes where it must, and nowhere else', () => {
    fc.assert(
      fc.property(fc.array(line), fc.nat(), chap, (lines, at, given) => {
        const before = RECORD.split('\n').slice(0, -1)
        // Anywhere between begin and end.
        before.splice(1 + (at % (before.length - 1)), 0, ...lines)
        const text = `${before.join('\n')}\n`
        const settings = { ...SETTINGS, chap: given }
        const after = rewriteRecord(text, settings).reveal()
        assert.ok(after.length >= text.length, 'the end of the old one would show')
        const keyOf = (each: string) => each.split(' = ')[0] ?? ''
        const rest = (each: string) => !OURS.has(keyOf(each))
        const result = after.split('\n').filter(each => each !== '')
        assert.deepEqual(result.filter(rest), before.filter(rest))
        const values = new Map(result.map(each => [keyOf(each), each.slice(keyOf(each).length + 3)]))
        const expected = new Map([...OURS].filter(([key]) => given || !key.includes('auth.')))
        if (!given) expected.set('node.session.auth.authmethod', 'None')
        for (const [key, value] of expected) assert.equal(values.get(key), value, key)
        assert.equal(result.filter(each => !rest(each)).length, expected.size, 'each once')
        assert.equal(result.at(-1), '# END RECORD')
        const interfaceAt = result.findIndex(each => each.startsWith('iface.iscsi_ifacename'))
        assert.match(result[interfaceAt + 1] ?? '', /^iface.initiatorname = /)
        assert.equal(rewriteRecord(after, settings).reveal().trimEnd(), after.trimEnd())
      }),
    )
  })

  it('forgets the secrets of an earlier publish', () => {
    const secret = { user: 'u', password: new Secret('sesame') }
    const before = rewriteRecord(RECORD, { ...SETTINGS, chap: { ...secret, mutual: secret } }).reveal()
    const oneWay = rewriteRecord(before, { ...SETTINGS, chap: { user: 'v', password: new Secret('other') } }).reveal()
    assert.doesNotMatch(oneWay, /sesame|_in = /)
    assert.ok(oneWay.length >= before.length, 'the end of the old one would show')
    assert.doesNotMatch(rewriteRecord(before, SETTINGS).reveal(), /sesame|username|CHAP/)
  })
})

const OURS = new Map([
  ['iface.initiatorname', SETTINGS.initiator],
  ['node.startup', 'manual'],
  ['node.session.initial_login_retry_max', '1'],
  ['node.session.scan', 'manual'],
  ['node.session.timeo.replacement_timeout', '60'],
  ['node.conn[0].timeo.login_timeout', '5'],
  ['node.conn[0].timeo.noop_out_interval', '6'],
  ['node.conn[0].timeo.noop_out_timeout', '7'],
  ['node.session.auth.authmethod', 'CHAP'],
  ['node.session.auth.username', 'user'],
  ['node.session.auth.password', 'sesame'],
  ['node.session.auth.username_in', 'user-in'],
  ['node.session.auth.password_in', 'sesame-in'],
])
