// Tests of the simulated machine: it knows what no driver may do, and behaves as Linux does where drivers trip.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { CommandFailed } from '../../../src/volume/errors.ts'
import { testOp } from '../../fixtures.ts'
import { create, lookUp } from './disk.ts'
import { createMachine, furnish, type Machine, workloadOn } from './machine.ts'

const op = testOp()
const UUID = '0b5e1f5e-0000-8000-8000-000000000001'
const MKFS = `mkfs.ext4 -q -U ${UUID} -b 4096 -m 0 -O x -E nodiscard,lazy_itable_init=1,lazy_journal_init=0 /dev/loop0`
const MOUNT = 'mount -w -t ext4 -- /dev/loop0 /staging'

/** A file, a device on it, and two folders that may show it. */
async function setUp(...commands: string[]): Promise<Machine> {
  const machine = createMachine()
  furnish(machine, '/pool', '/staging', '/target', '/elsewhere')
  const file = create(machine.state.disk, '/pool/data', 'file')
  file.size = 16n << 20n
  for (const path of ['/staging', '/target']) machine.state.places.set(path, file.ino)
  await run(machine, 'losetup --find --show --nooverlap --sector-size 512 -- /pool/data', ...commands)
  return machine
}

/** Exit codes are for the driver to judge. */
async function run(machine: Machine, ...lines: string[]): Promise<void> {
  for (const line of lines) {
    const [file = '', ...args] = line.split(' ')
    try {
      await machine.run({ file, args, timeoutMs: 1, onAbort: 'finish' }, op)
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error
    }
  }
}

const ZERO = 'dd if=/dev/zero of=/dev/loop0 bs=4096 count=1 seek=0 oflag=direct,seek_bytes conv=notrunc,fsync'

describe('a violation is noted when', () => {
  const CRIMES: Record<string, readonly string[]> = {
    'mkfs runs over what was mounted': [MKFS, MOUNT, 'umount -- /staging', MKFS],
    'mkfs runs beneath a mount': [MKFS, MOUNT, MKFS],
    'a filesystem is damaged': [MKFS, ZERO],
    'a mounted device is written to': [MKFS, MOUNT, ZERO],
    'a mount covers another': [MKFS, MOUNT, 'mount --bind -- /staging /target', 'mount --bind -- /staging /target'],
    'a mount stands where nobody asked for one': [MKFS, MOUNT, 'mount --bind -- /staging /elsewhere'],
    'an unstaged folder is shown as a volume': ['mount --bind -- /staging /target'],
    'a device is detached beneath a mount': [MKFS, MOUNT, 'losetup --detach /dev/loop0'],
    'a mounted filesystem is checked': [MKFS, MOUNT, 'e2fsck -p /dev/loop0'],
    'data is given back to the pool': [MKFS, MOUNT, 'umount -- /staging', PUNCH()],
  }
  function PUNCH(): string {
    return 'fallocate --punch-hole --offset 0 --length 16777216 -- /pool/data'
  }
  for (const [what, commands] of Object.entries(CRIMES)) {
    it(what, async () => {
      const { violations } = await setUp(...commands)
      assert.notDeepEqual(violations, [])
    })
  }

  it('a mount covers files', async () => {
    const machine = await setUp(MKFS)
    create(machine.state.disk, '/staging/file', 'file')
    await run(machine, MOUNT)
    assert.match(machine.violations.join(), /covers what is in that folder/)
  })

  it('another volume is mounted', async () => {
    const machine = await setUp(MKFS)
    machine.state.places.set('/staging', 1)
    await run(machine, MOUNT)
    assert.match(machine.violations.join(), /is another volume/)
  })

  it('the file of a volume with data is removed, and not when that was asked for', async () => {
    for (const isAsked of [false, true]) {
      const machine = await setUp(MKFS, MOUNT, 'umount -- /staging')
      const file = lookUp(machine.state.disk, '/pool/data')
      if (isAsked) machine.state.disk.doomed.add(file?.ino ?? 0)
      await machine.files.removeFile('/pool/data')
      assert.equal(machine.violations.length, isAsked ? 0 : 1)
    }
  })

  it('a marked filesystem is mounted', async () => {
    const machine = await setUp(MKFS)
    const page = 'ashlar: the format of this volume did not finish'.padEnd(4096, '.')
    lookUp(machine.state.disk, '/pool/data')?.pages.set(300, page)
    await run(machine, MOUNT)
    assert.match(machine.violations.join(), /bore the mark/)
  })

  it('a command or a file of the kernel is unknown', async () => {
    const machine = await setUp()
    await assert.rejects(run(machine, 'reboot now'), /does not know: reboot now/)
    await assert.rejects(run(machine, 'blkid --new-option /dev/loop0'), /does not know/)
    await machine.files.read('/proc/meminfo')
    assert.equal(machine.violations.length, 3)
  })
})

describe('the machine', () => {
  it('is innocent while all goes well, and a copy of it goes its own way', async () => {
    const machine = await setUp(MKFS)
    const copy = machine.copy()
    await run(copy, MOUNT, 'mount --bind -- /staging /target', 'umount -- /target', 'umount -- /staging')
    await run(copy, 'losetup --detach /dev/loop0')
    assert.deepEqual([machine.violations, copy.violations], [[], []])
    assert.deepEqual([machine.state.loops.size, copy.state.loops.size], [1, 0])
  })

  it('keeps what was synced through a power cut, and loses the rest', async () => {
    const machine = await setUp(MKFS, MOUNT)
    const workload = workloadOn(machine)
    workload.write('/staging', 'a', 'kept', true)
    workload.write('/staging', 'b', 'lost', false)
    assert.equal(workload.read('/staging', 'b'), 'lost')
    machine.cutPower()
    assert.equal(machine.state.loops.size, 0)
    assert.deepEqual([...(lookUp(machine.state.disk, '/pool/data')?.fs?.files ?? [])], [['a', 'kept']])
  })

  it('keeps the device of a tool that outlives its driver locked until that has ended', async () => {
    const machine = await setUp()
    const lock = '--exclusive --wait 5 --conflict-exit-code 75 --no-fork /dev/loop0'
    const args = `${lock} ${MKFS}`.split(' ')
    machine.runHalf({ file: 'flock', args, timeoutMs: 1, onAbort: 'finish' }, 'runs on: no superblock yet')
    const flush = { file: 'flock', args: `${lock} blockdev --flushbufs /dev/loop0`.split(' ') }
    const again = async () => await machine.run({ ...flush, okCodes: [0, 75], timeoutMs: 1, onAbort: 'finish' }, op)
    assert.equal((await again()).code, 75)
    machine.finishLingering()
    assert.equal((await again()).code, 0)
    assert.equal(lookUp(machine.state.disk, '/pool/data')?.fs?.uuid, UUID)
  })
})
