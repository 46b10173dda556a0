// Tests of loop devices: attach answers what the kernel has, verify believes no path alone, detach is certain.
import assert from 'node:assert/strict'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { deviceOf, failure, GIB, kernelOf, locked, MIB, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import { localFiles } from '../host/local-files.ts'
import {
  attachLoop,
  detachLoop,
  findLoop,
  listLoops,
  loopsBackedBy,
  refreshLoopSize,
  usersOf,
  verifyLoop,
} from './losetup.ts'

const op = testOp()
const device = deviceOf(MIB)
const PATH = '/pool/volumes/v/data'
const MOUNTINFO = '/proc/self/mountinfo'
const quiet = { ...kernelOf(device, PATH), [MOUNTINFO]: '' }

describe('loop devices', () => {
  it('are the bound ones only, with their backing file as the kernel prints it', async () => {
    const host = fakeHost([], {
      ...kernelOf(device, `${PATH} (deleted)`),
      ...kernelOf(deviceOf(0n, { kname: 'loop0', number: '7:0' })),
      ...kernelOf(deviceOf(MIB, { kname: 'sda', number: '8:0' }), '/x'),
    })
    assert.deepEqual(await listLoops(host), [{ kname: 'loop7', backingFile: `${PATH} (deleted)`, isLeaving: false }])
    assert.equal(await findLoop(host, 'loop0'), undefined)
    assert.equal((await loopsBackedBy(host, PATH)).length, 1)
    assert.equal((await loopsBackedBy(host, '/pool/volumes/v/dat')).length, 0)
  })
})

describe('attach', () => {
  const request = { path: PATH, readonly: false, sectorSize: 4096 }
  const base = locked('losetup --find --show --nooverlap', PATH)

  it('binds under a lock, with direct I/O, and is never stopped half-way', async () => {
    const host = fakeHost(
      [{ run: `${base} --direct-io=on --sector-size 4096 -- ${PATH}`, stdout: '/dev/loop7\n' }],
      quiet,
    )
    assert.deepEqual(await attachLoop(host, request, op), device)
    assert.equal(host.commands[0]?.onAbort, 'finish')
  })

  it('goes without direct I/O where the filesystem cannot do it, and read-only when asked', async () => {
    const script = [
      { run: /--direct-io=on/, code: 1, stderr: 'set direct io failed' },
      { run: `${base} --sector-size 4096 --read-only -- ${PATH}`, stdout: '/dev/loop7\n' },
    ]
    assert.deepEqual(await attachLoop(fakeHost(script, quiet), { ...request, readonly: true }, op), device)
  })

  it('takes a leftover read-only flag off a number, unless read-only is what was asked for', async () => {
    const ATTACH = { run: /losetup --find/, stdout: '/dev/loop7\n' }
    const left = kernelOf(deviceOf(GIB, { readonly: true }))
    const request = { path: '/pool/data', readonly: false, sectorSize: 512 }
    const unset = { run: 'blockdev --setrw /dev/loop7', effect: () => host.kernel.set('/sys/block/loop7/ro', '0\n') }
    const host = fakeHost([ATTACH, unset], left)
    assert.equal((await attachLoop(host, request, op)).readonly, false)
    assert.equal(host.left(), 0)
    assert.equal((await attachLoop(fakeHost([ATTACH], left), { ...request, readonly: true }, op)).readonly, true)
  })

  it('fails when losetup fails, prints no device, or names one that the kernel does not have', async () => {
    const fails = fakeHost(
      [1, 2].map(() => ({ run: /^flock/, code: 1, stderr: 'no free loop device' })),
      quiet,
    )
    await assert.rejects(attachLoop(fails, request, op), failure('internal', /no free loop device/))
    for (const stdout of ['', '/dev/sda\n', '/dev/loop8\n', '/dev/loop7\n/dev/loop8\n'])
      await assert.rejects(
        attachLoop(fakeHost([{ run: /^flock/, stdout }], quiet), request, op),
        failure('internal'),
        stdout,
      )
  })

  it('sees a new size only when the kernel shows it', async () => {
    const host = fakeHost(
      [{ run: 'losetup --set-capacity /dev/loop7', effect: () => host.kernel.set('/sys/block/loop7/size', '4096') }],
      quiet,
    )
    assert.equal((await refreshLoopSize(host, device, op)).size, 2n * MIB)
    const gone = fakeHost([{ run: /^losetup/, effect: () => gone.kernel.clear() }], quiet)
    await assert.rejects(refreshLoopSize(gone, device, op), failure('internal', /gone/))
  })
})

describe('verify', () => {
  /** A real file of 1 MiB, and a host whose loop7 claims to be backed by it. */
  async function setUp(
    t: TestContext,
    { ino = 0n, onDevice = '', offset = '0', limit = '0', backing = '', size = MIB } = {},
  ) {
    const path = join(await temporaryFolder(t), 'data')
    await writeFile(path, Buffer.alloc(Number(MIB)))
    const facts = await localFiles.facts(path)
    assert.ok(facts)
    const row = {
      'back-ino': String(facts.inode + ino),
      'back-maj:min': onDevice || facts.device,
      offset,
      sizelimit: limit,
    }
    const line: Line = {
      run: /^losetup --json --output BACK-INO,BACK-MAJ:MIN,OFFSET,SIZELIMIT/,
      stdout: JSON.stringify({ loopdevices: [row] }),
    }
    const host = fakeHost([line], kernelOf(device, backing === '' ? path : backing.replace('%', path)))
    return await verifyLoop(host, deviceOf(size), path, op)
  }

  it('accepts the very file', async t => {
    await setUp(t)
  })

  it('accepts numbers as well as padded strings, and filesystems without a device of their own', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await writeFile(path, Buffer.alloc(Number(MIB)))
    const { ino } = await stat(path)
    const stdout = JSON.stringify({
      loopdevices: [{ 'back-ino': ino, 'back-maj:min': '  0:44', offset: 0, sizelimit: ' 0' }],
    })
    await verifyLoop(fakeHost([{ run: /^losetup/, stdout }], kernelOf(device, path)), device, path, op)
  })

  it('refuses another inode or filesystem under the same name, another path, an unlinked file, a window', async t => {
    const wrong = failure('failed-precondition')
    await assert.rejects(setUp(t, { ino: 1n }), wrong)
    await assert.rejects(setUp(t, { onDevice: '253:99' }), wrong)
    await assert.rejects(setUp(t, { backing: '/other' }), wrong)
    await assert.rejects(setUp(t, { backing: '% (deleted)' }), wrong)
    await assert.rejects(setUp(t, { offset: '512' }), wrong)
    await assert.rejects(setUp(t, { limit: '4096' }), wrong)
    await assert.rejects(setUp(t, { size: MIB + 512n }), wrong)
  })

  it('refuses an unbound device and a file that is gone', async t => {
    await assert.rejects(
      verifyLoop(fakeHost([], kernelOf(device)), device, PATH, op),
      failure('failed-precondition', /nothing/),
    )
    const folder = await temporaryFolder(t)
    const path = join(folder, 'absent')
    await assert.rejects(
      verifyLoop(fakeHost([], kernelOf(device, path)), device, path, op),
      failure('failed-precondition', /not exist/),
    )
  })

  it('does not guess when losetup prints nothing', async t => {
    const path = join(await temporaryFolder(t), 'data')
    await writeFile(path, 'x')
    for (const stdout of ['', '{"loopdevices":[]}', '{"loopdevices":[{"back-ino":null}]}']) {
      const host = fakeHost([{ run: /^losetup/, stdout }], kernelOf(device, path))
      await assert.rejects(verifyLoop(host, device, path, op), failure('unavailable'), stdout)
    }
  })
})

describe('detach', () => {
  const DETACH = locked('losetup --detach /dev/loop7')
  const unbind = (host: { kernel: Map<string, string> }) => () =>
    host.kernel.delete('/sys/block/loop7/loop/backing_file')

  it('runs nothing for a device that is not bound', async () => {
    const host = fakeHost([], { ...kernelOf(device), [MOUNTINFO]: '' })
    await detachLoop(host, device, op)
    assert.deepEqual(host.said, [])
  })

  it('waits until the kernel has let go, whatever the exit code', async () => {
    for (const code of [0, 1]) {
      const host = fakeHost([{ run: DETACH, code, effect: () => setTimeout(unbind(host), 20) }], quiet)
      await detachLoop(host, device, op)
      assert.equal(await findLoop(host, 'loop7'), undefined)
    }
  })

  it('is done when the number was taken by somebody else’s file meanwhile', async () => {
    const host = fakeHost(
      [{ run: DETACH, effect: () => host.kernel.set('/sys/block/loop7/loop/backing_file', '/new\n') }],
      quiet,
    )
    await detachLoop(host, device, op)
  })

  it('is refused with the names of all users, before losetup runs', async () => {
    const view = kernelOf(deviceOf(MIB, { kname: 'loop8', number: '7:8' }), '/dev/loop7')
    const users = {
      'mounted at /stage': { [MOUNTINFO]: '36 35 7:7 / /stage rw - ext4 /dev/loop7 rw\n' },
      'mounted at /pod/dev': { [MOUNTINFO]: '36 35 0:5 /loop7 /pod/dev rw - devtmpfs udev rw\n' },
      'held by dm-3': { '/sys/block/loop7/holders/dm-3/dev': '' },
      'loop8 is backed by it': view,
    }
    for (const [words, kernel] of Object.entries(users)) {
      const host = fakeHost([], { ...quiet, ...kernel })
      await assert.rejects(detachLoop(host, device, op), failure('failed-precondition', new RegExp(words)), words)
    }
    const all = fakeHost([], Object.assign({}, quiet, ...Object.values(users)))
    assert.equal((await usersOf(all, deviceOf(GIB))).length, 3)
  })

  it('is refused for the device of an unlinked file, which is the last way to the data', async () => {
    const host = fakeHost([], { ...quiet, '/sys/block/loop7/loop/backing_file': '/pool/data (deleted)\n' })
    await assert.rejects(detachLoop(host, device, op), failure('failed-precondition', /last way to the data/))
    assert.deepEqual(host.said, [])
  })

  it('waits for a filesystem to die, and leaves the device alone while one lives in another namespace', async () => {
    const alive = { ...quiet, '/sys/fs/xfs/loop7/stats': '' }
    const dying = fakeHost([{ run: DETACH, effect: () => unbind(dying)() }], alive)
    setTimeout(() => dying.kernel.delete('/sys/fs/xfs/loop7/stats'), 20)
    await detachLoop(dying, device, op)
    const caller = new AbortController()
    const living = fakeHost([], alive)
    setTimeout(() => caller.abort(), 30)
    await assert.rejects(detachLoop(living, device, testOp(caller.signal)), failure('cancelled'))
    assert.deepEqual(living.said, [])
  })
})
