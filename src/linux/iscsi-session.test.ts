// Tests of iSCSI sessions as /sys shows them.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { disksOf, listSessions, scanForUnit, sessionOfDisk } from './iscsi-session.ts'

const AT = '/sys/class/iscsi_session'
const KERNEL = {
  [`${AT}/session3/targetname`]: 'iqn.a\n',
  [`${AT}/session3/state`]: 'LOGGED_IN\n',
  [`${AT}/session3/recovery_tmo`]: '60\n',
  [`${AT}/session3/device/connection3:0/iscsi_connection/connection3:0/persistent_address`]: '10.0.0.1\n',
  [`${AT}/session3/device/connection3:0/iscsi_connection/connection3:0/persistent_port`]: '3260\n',
  [`${AT}/session3/device/power/control`]: 'auto\n',
  [`${AT}/session3/device/target2:0:0/2:0:0:0/vendor`]: 'LIO\n',
  [`${AT}/session3/device/target2:0:0/2:0:0:11/block/sdab/size`]: '8\n',
  [`${AT}/session3/device/target2:0:0/power/control`]: 'auto\n',
  [`${AT}/session3/device/../scsi_host/host2/scan`]: '',
  [`${AT}/session4/targetname`]: 'iqn.b\n',
  [`${AT}/session4/device/connection4:0/iscsi_connection/connection4:0/persistent_address`]: 'fd00::1\n',
  [`${AT}/session4/device/connection4:0/iscsi_connection/connection4:0/persistent_port`]: '3261\n',
  // As it is for a moment while it is made.
  [`${AT}/session5/targetname`]: '\n',
  '/sys/block/sdab/device/../../iscsi_session/session3': '',
}

it('sessions show their target, portal, state and units, with or without a disk', async () => {
  const host = fakeHost([], KERNEL)
  const all = await listSessions(host)
  const unit = `${AT}/session3/device/target2:0:0/2:0:0`
  assert.deepEqual(all[0], {
    sid: 3,
    target: 'iqn.a',
    state: 'LOGGED_IN',
    portal: '10.0.0.1:3260',
    patienceSeconds: '60',
    units: [
      { lun: 0, at: `${unit}:0`, kname: undefined },
      { lun: 11, at: `${unit}:11`, kname: 'sdab' },
    ],
  })
  assert.deepEqual(
    all.map(({ sid, portal, state }) => [sid, portal, state]),
    [
      [3, '10.0.0.1:3260', 'LOGGED_IN'],
      [4, '[fd00::1]:3261', ''],
      [5, '', ''],
    ],
  )
  assert.deepEqual(
    disksOf(all).map(({ session, kname }) => [session.sid, kname]),
    [[3, 'sdab']],
  )
  assert.deepEqual(
    (await listSessions(host, 'iqn.b')).map(({ sid }) => sid),
    [4],
  )
  assert.equal((await sessionOfDisk(host, 'sdab'))?.sid, 3)
  assert.equal(await sessionOfDisk(host, 'sda'), undefined)
  assert.deepEqual(await listSessions(fakeHost([])), [])
})

it('a unit is looked for behind the host of its session only', async () => {
  const run = `dd of=${AT}/session3/device/../scsi_host/host2/scan conv=notrunc,nocreat status=none`
  const host = fakeHost([{ run }], KERNEL)
  const [session] = await listSessions(host)
  assert.ok(session)
  await scanForUnit(host, session, 11, testOp())
  assert.equal(host.commands[0]?.stdin, '- - 11')
})
