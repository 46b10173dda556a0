// Tests of tgtadm: what it prints, as version 1.0.85 printed it, and what its exit codes mean.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { CommandFailed } from '../volume/errors.ts'
import { addPortal, bindInitiator, listPortals, listTargets, unbindInitiator } from './tgtadm.ts'

const SHOW = 'tgtadm --lld iscsi --op show --mode target'
const op = testOp()

const LUN_0 = `        LUN: 0
            Type: controller
            SCSI ID: IET     00030000
            SCSI SN: beaf30
            Size: 0 MB, Block size: 1
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: null
            Backing store path: None
            Backing store flags: 
`
const PRINTED = `Target 2: iqn.x:other
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
    LUN information:
${LUN_0}    Account information:
    ACL information:
Target 1234567890: iqn.2026-01.dev.ashlar:vol-a-0123
    System information:
        Driver: iscsi
        State: ready
        Nop interval: 5
        Nop count: 2
    I_T nexus information:
        I_T nexus: 2
            Initiator: iqn.2026-01.dev.ashlar:node.a alias: guest
            Connection: 0
                IP Address: 127.0.0.1
        I_T nexus: 7
            Initiator: iqn.2026-01.dev.ashlar:node.b alias: none
    LUN information:
${LUN_0}        LUN: 1
            Type: disk
            SCSI ID: 0123456789abcdef0123456789abcdef
            SCSI SN: 0123456789abcdef0123456789abcdef
            Size: 105 MB, Block size: 4096
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: Yes
            SWP: No
            Thin-provisioning: Yes
            Backing store type: rdwr
            Backing store path: /srv/a b/LUN: 7/data
            Backing store flags: 
    Account information:
        somebody
    ACL information:
        iqn.2026-01.dev.ashlar:node.a
        10.0.0.0/8
`

describe('targets', () => {
  it('are read with all that matters of them', async () => {
    const targets = await listTargets(fakeHost([{ run: SHOW, stdout: PRINTED }]), op)
    const [other, ours] = targets ?? []
    assert.equal(targets?.length, 2)
    assert.deepEqual([other?.tid, other?.name, other?.acl, other?.sessions], [2, 'iqn.x:other', [], []])
    const { units = [], ...rest } = ours ?? {}
    assert.deepEqual(rest, {
      tid: 1234567890,
      name: 'iqn.2026-01.dev.ashlar:vol-a-0123',
      ready: true,
      nopInterval: 5,
      nopCount: 2,
      sessions: [
        { sid: '2', initiator: 'iqn.2026-01.dev.ashlar:node.a', connections: ['0'] },
        { sid: '7', initiator: 'iqn.2026-01.dev.ashlar:node.b', connections: [] },
      ],
      acl: ['iqn.2026-01.dev.ashlar:node.a', '10.0.0.0/8'],
    })
    assert.deepEqual(
      units.map(({ lun, path }) => [lun, path]),
      [
        [0, ''],
        [1, '/srv/a b/LUN: 7/data'],
      ],
    )
    assert.deepEqual(units[1], {
      lun: 1,
      serial: '0123456789abcdef0123456789abcdef',
      megabytes: 105n,
      blockSize: 4096,
      online: true,
      readonly: true,
      thin: true,
      path: '/srv/a b/LUN: 7/data',
    })
  })

  it('are none when none are printed, and unknown when the text breaks off', async () => {
    const list = (stdout: string) => listTargets(fakeHost([{ run: SHOW, stdout }]), op)
    assert.deepEqual(await list(''), [])
    const end = PRINTED.lastIndexOf('    ACL information')
    await assert.rejects(list(PRINTED.slice(0, end)), failure('unavailable'))
    await assert.rejects(list('no such thing\n'), failure('unavailable'))
  })
})

describe('exit codes', () => {
  it('tell a daemon that is not there from one that refuses, and nothing else', async () => {
    const answering = (code: number, stderr = '') => fakeHost([{ run: /./, code, stderr }])
    assert.equal(await listTargets(answering(107), op), undefined)
    await assert.rejects(listPortals(answering(107), op), failure('unavailable', /systemctl start tgt/))
    await assert.rejects(bindInitiator(answering(107), 1, 'iqn.x:a', op), failure('unavailable'))
    const complaint = 'this access control rule already exists'
    assert.equal(await bindInitiator(answering(22, `tgtadm: ${complaint}\n`), 1, 'iqn.x:a', op), complaint)
    assert.equal(await bindInitiator(answering(0), 1, 'iqn.x:a', op), undefined)
    await assert.rejects(bindInitiator(answering(1), 1, 'iqn.x:a', op), CommandFailed)
  })
})

it('portals are those it listens on', async () => {
  const stdout = 'Portal: [::]:3260,1\nPortal: 10.0.0.1:3261,1\n'
  const host = fakeHost([
    { run: 'tgtadm --lld iscsi --op show --mode portal', stdout },
    { run: 'tgtadm --lld iscsi --op new --mode portal --param portal=10.0.0.2:3260' },
  ])
  assert.deepEqual(await listPortals(host, op), ['[::]:3260', '10.0.0.1:3261'])
  await addPortal(host, '10.0.0.2:3260', op)
})

it('initiators are taken off the list by what they are', async () => {
  const unbind = 'tgtadm --lld iscsi --op unbind --mode target --tid 5'
  const host = fakeHost([
    { run: `${unbind} --initiator-name iqn.x:a` },
    { run: `${unbind} --initiator-address ALL` },
    { run: `${unbind} --initiator-address 10.0.0.0/8` },
  ])
  for (const each of ['iqn.x:a', 'ALL', '10.0.0.0/8']) await unbindInitiator(host, 5, each, op)
  assert.equal(host.left(), 0)
})
