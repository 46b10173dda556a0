// Tests of the UUID of copies: the journal is replayed first, and only the device tells whether the UUID was given.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, failure, GIB, locked, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import { giveUuid } from './filesystem-uuid.ts'

const op = testOp()
const device = deviceOf(GIB)
const uuid = '0b5e1f5e-0000-8000-8000-000000000001'
const MOUNTED = '40 25 7:7 / /m rw,relatime - xfs /dev/loop7 rw\n'

/** A probe that finds this. */
const probed = (type: string, found: string): Line[] => [
  { run: locked('blockdev --flushbufs /dev/loop7') },
  { run: /^dd if=\/dev\/loop7 bs=4096 /, stdout: '\0'.repeat(4096) },
  { run: 'blkid --probe --output export /dev/loop7', stdout: `TYPE=${type}\nUUID=${found}\n` },
]

const ext4 = (found: string, checked = 0) =>
  fakeHost([
    { run: locked('e2fsck -p /dev/loop7'), code: checked },
    { run: locked(`tune2fs -U ${uuid} /dev/loop7`) },
    ...probed('ext4', found),
  ])

const refusing = () =>
  fakeHost([
    { run: locked('e2fsck -p /dev/loop7') },
    { run: locked(`tune2fs -U ${uuid} /dev/loop7`), code: 1 },
    { run: locked('e2fsck -fp /dev/loop7') },
    { run: locked(`tune2fs -U ${uuid} /dev/loop7`) },
    ...probed('ext4', uuid),
  ])

it('of an ext4 of others may be in every checksum: that is checked as a whole first', async () => {
  const host = refusing()
  await giveUuid(host, { device, fsType: 'ext4', uuid, path: '/m' }, op)
})

function xfs(found: string) {
  const kernel = (text: string) => () => {
    host.kernel.set('/proc/self/mountinfo', text)
  }
  const host = fakeHost(
    [
      { run: 'mount -w -t xfs -o nouuid -- /dev/loop7 /m', effect: () => kernel(MOUNTED)() },
      { run: 'umount -- /m', effect: () => kernel('')() },
      { run: locked(`xfs_admin -U ${uuid} /dev/loop7`) },
      ...probed('xfs', found),
    ],
    { '/proc/self/mountinfo': '' },
  )
  return host
}

describe('a copy gets a UUID', () => {
  it('after its journal was replayed, by tools that are never stopped half-way, under the lock of the device', async () => {
    for (const [fsType, host] of [
      ['ext4', ext4(uuid)],
      ['xfs', xfs(uuid)],
    ] as const) {
      await giveUuid(host, { device, fsType, uuid, path: '/m' }, op)
      assert.equal(host.left(), 0)
      const writers = host.commands.filter(({ args }) => /tune2fs|xfs_admin|e2fsck/.test(args.join(' ')))
      assert.ok(writers.length > 0 && writers.every(({ onAbort }) => onAbort === 'finish'))
    }
  })

  it('only if the device shows it afterwards: xfs_admin ends with 0 when it refuses', async () => {
    for (const other of ['0b5e1f5e-0000-8000-8000-000000000002', '']) {
      const give = giveUuid(xfs(other), { device, fsType: 'xfs', uuid, path: '/m' }, op)
      await assert.rejects(give, failure('internal', /it holds a xfs filesystem with UUID/))
      await assert.rejects(giveUuid(ext4(other), { device, fsType: 'ext4', uuid, path: '/m' }, op), failure('internal'))
    }
  })

  it('never before a person has looked at errors that need one', async () => {
    const host = ext4(uuid, 4)
    const give = giveUuid(host, { device, fsType: 'ext4', uuid, path: '/m' }, op)
    await assert.rejects(give, failure('failed-precondition'))
    assert.ok(!host.said.some(text => text.includes('tune2fs')))
  })

  it('never while its log could not be replayed', async () => {
    const host = fakeHost([{ run: /^mount /, code: 32, stderr: 'Structure needs cleaning' }], {
      '/proc/self/mountinfo': '',
    })
    const give = giveUuid(host, { device, fsType: 'xfs', uuid, path: '/m' }, op)
    await assert.rejects(give, failure('failed-precondition', /needs cleaning/))
    assert.equal(host.said.length, 1)
  })
})
