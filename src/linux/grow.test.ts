// Tests of growing: never downwards, never without the privilege, and only what can be observed counts.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, failure, GIB, MIB, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import { growFilesystem } from './grow.ts'

const STATUS = '/proc/self/status'
/** All capabilities, and all but CAP_SYS_RESOURCE. */
const ALL = { [STATUS]: 'Name:\tnode\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\nCapBnd:\t0\n' }
const LESS = {
  [STATUS]: 'Name:\tnode\nCapPrm:\t000001ffffffffff\nCapEff:\t000001fffeffffff\nCapBnd:\t000001ffffffffff\n',
}
const op = testOp()

const dumpe2fs = (bytes: bigint): Line => ({
  run: 'dumpe2fs -h /dev/loop7',
  stdout: `Inode count:              65536
Block count:              ${bytes / 4096n}
Reserved block count:     0
Block size:               4096
Fragment size:            4096
Blocks per group:         32768
`,
})
const xfsInfo = (bytes: bigint): Line => ({
  run: 'xfs_info /stage',
  stdout: `meta-data=/dev/loop7             isize=512    agcount=4, agsize=65536 blks
data     =                       bsize=4096   blocks=${bytes / 4096n}, imaxpct=25
log      =internal log           bsize=4096   blocks=16384, version=2
realtime =none                   extsz=4096   blocks=0, rtextents=0
`,
})
const RESIZE: Line = { run: 'resize2fs /dev/loop7' }
const XFS_GROW: Line = { run: 'xfs_growfs -d /stage' }

const grow = async (
  fsType: 'ext4' | 'xfs',
  deviceSize: bigint,
  script: Line[],
  kernel: Record<string, string> = ALL,
) => {
  const host = fakeHost(script, kernel)
  await growFilesystem(host, { device: deviceOf(deviceSize), path: '/stage', fsType }, op)
  assert.equal(host.left(), 0)
  return host
}

describe('growing', () => {
  it('does nothing when the filesystem fills its device, and needs no privilege for that', async () => {
    await grow('ext4', GIB, [dumpe2fs(GIB)], LESS)
    await grow('xfs', GIB, [xfsInfo(GIB)], LESS)
    await grow('xfs', GIB, [xfsInfo(GIB - 63n * 4096n)])
  })

  it('goes up to the device and is never stopped half-way', async () => {
    const ext4 = await grow('ext4', 3n * GIB, [dumpe2fs(GIB), RESIZE, dumpe2fs(3n * GIB)])
    const xfs = await grow('xfs', 3n * GIB, [xfsInfo(GIB), XFS_GROW, xfsInfo(3n * GIB)], LESS)
    for (const host of [ext4, xfs]) assert.equal(host.commands[1]?.onAbort, 'finish')
  })

  it('goes up by a single MiB too', async () => {
    await grow('ext4', GIB + MIB, [dumpe2fs(GIB), RESIZE, dumpe2fs(GIB + MIB)])
    await grow('xfs', GIB + MIB, [xfsInfo(GIB), XFS_GROW, xfsInfo(GIB + MIB)])
  })

  it('never lets resize2fs shrink a filesystem that is larger than its device', async () => {
    await assert.rejects(
      grow('ext4', GIB, [dumpe2fs(GIB + 4096n)]),
      failure('failed-precondition', /more than its device/),
    )
    await assert.rejects(grow('xfs', GIB, [xfsInfo(2n * GIB)]), failure('failed-precondition', /more than its device/))
  })

  it('says plainly that CAP_SYS_RESOURCE is missing, before resize2fs runs', async () => {
    await assert.rejects(
      grow('ext4', 3n * GIB, [dumpe2fs(GIB)], LESS),
      failure('failed-precondition', /CAP_SYS_RESOURCE/),
    )
    await assert.rejects(
      grow('ext4', 3n * GIB, [dumpe2fs(GIB)], {}),
      failure('failed-precondition', /CAP_SYS_RESOURCE/),
    )
  })

  it('does not believe exit code 0 without effect', async () => {
    await assert.rejects(
      grow('ext4', 3n * GIB, [dumpe2fs(GIB), RESIZE, dumpe2fs(GIB)]),
      failure('internal', /still has/),
    )
    await assert.rejects(
      grow('xfs', 3n * GIB, [xfsInfo(GIB), XFS_GROW, xfsInfo(2n * GIB)]),
      failure('internal', /still has/),
    )
  })

  it('does not guess a size that it cannot read', async () => {
    await assert.rejects(
      grow('ext4', GIB, [{ run: /^dumpe2fs/, stdout: 'Block size: 4096\n' }]),
      failure('internal', /Block/),
    )
    await assert.rejects(
      grow('xfs', GIB, [{ run: /^xfs_info/, stdout: 'data = bsize=4096\n' }]),
      failure('internal', /data/),
    )
  })
})
