// Tests of mounts: what mountinfo says is read right, and only the kernel decides what was mounted or unmounted.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, failure, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import {
  bindMount,
  findMount,
  isMountOf,
  isReadOnly,
  mountFilesystem,
  mountsAt,
  parseMountinfo,
  unmountAll,
} from './mount.ts'

const MOUNTINFO = '/proc/self/mountinfo'
const device = deviceOf()
const op = testOp()
const line = (path: string, { number = '7:7', root = '/', options = 'rw,relatime', fs = 'ext4 /dev/loop7 rw' } = {}) =>
  `36 35 ${number} ${root} ${path} ${options} shared:1 master:2 - ${fs}\n`

describe('mountinfo', () => {
  it('is read with its octal escapes, any number of optional fields, and options of mount and superblock', () => {
    const text =
      line('/mnt/a\\040b\\134c\\011d\\012e\\043f', { options: 'ro,nosuid', fs: 'xfs /dev/loop\\0407 rw,attr2' }) +
      '37 35 0:5 /loop7 /var/lib/ä rw - devtmpfs udev rw\n'
    const [first, second, ...rest] = parseMountinfo(text)
    assert.deepEqual(first, {
      number: '7:7',
      root: '/',
      path: '/mnt/a b\\c\td\ne#f',
      options: ['ro', 'nosuid'],
      fsType: 'xfs',
      source: '/dev/loop 7',
      superOptions: ['rw', 'attr2'],
    })
    assert.equal(second?.path, '/var/lib/ä')
    assert.deepEqual(rest, [])
  })

  it('shows stacked mounts in order, the visible one last', async () => {
    const host = fakeHost([], { [MOUNTINFO]: line('/t', { number: '7:1' }) + line('/other') + line('/t') })
    assert.deepEqual(
      (await mountsAt(host, '/t')).map(mount => mount.number),
      ['7:1', '7:7'],
    )
    assert.equal((await findMount(host, '/t'))?.number, '7:7')
    assert.equal(await findMount(host, '/t/'), undefined)
  })

  it('shows a bound device node as devtmpfs: told from the filesystem, and from other nodes', () => {
    const [node, other, fs, folder] = parseMountinfo(
      line('/b', { number: '0:5', root: '/loop7', fs: 'devtmpfs udev rw' }) +
        line('/b', { number: '0:5', root: '/loop77', fs: 'devtmpfs udev rw' }) +
        line('/f') +
        line('/x', { number: '0:9', root: '/loop7', fs: 'tmpfs tmpfs rw' }),
    )
    assert.ok(node && other && fs && folder)
    assert.deepEqual(
      [node, other, fs, folder].map(each => isMountOf(each, device)),
      [true, false, true, false],
    )
  })

  it('shows read-only in either place', () => {
    const [rw, mount, fs] = parseMountinfo(
      line('/a') + line('/a', { options: 'ro' }) + line('/a', { fs: 'ext4 /dev/loop7 ro,errors=continue' }),
    )
    assert.ok(rw && mount && fs)
    assert.deepEqual([rw, mount, fs].map(isReadOnly), [false, true, true])
  })

  it('that cannot be read is an error, not "nothing is mounted"', async () => {
    await assert.rejects(mountsAt(fakeHost([]), '/t'), failure('unavailable'))
  })
})

describe('mount', () => {
  const request = { device, path: '/t', fsType: 'ext4', options: ['noatime'], readonly: false }
  const mounted = (info: string, code = 0, more: Partial<Line> = {}) => {
    const host = fakeHost([{ run: /^mount /, code, effect: () => host.kernel.set(MOUNTINFO, info), ...more }], {
      [MOUNTINFO]: '',
    })
    return host
  }

  it('asks for exactly one of read-only and read-write, and keeps paths behind --', async () => {
    const host = mounted(line('/t'))
    await mountFilesystem(host, request, op)
    assert.deepEqual(host.said, ['mount -w -t ext4 -o noatime -- /dev/loop7 /t'])
    assert.equal(host.commands[0]?.onAbort, 'finish')
    const readonly = mounted(line('/t', { options: 'ro' }))
    await mountFilesystem(readonly, { ...request, options: [], readonly: true }, op)
    assert.deepEqual(readonly.said, ['mount -r -t ext4 -- /dev/loop7 /t'])
  })

  it('succeeds only if the kernel shows this device, this filesystem and this writability', async () => {
    for (const info of [
      '',
      line('/elsewhere'),
      line('/t', { number: '7:8' }),
      line('/t', { fs: 'xfs /dev/loop7 rw' }),
      line('/t', { options: 'ro' }),
      line('/t', { fs: 'ext4 /dev/loop7 ro' }),
      line('/t') + line('/t', { number: '0:40', fs: 'tmpfs tmpfs rw' }),
    ])
      await assert.rejects(mountFilesystem(mounted(info), request, op), failure('internal'), info)
    await assert.rejects(mountFilesystem(mounted(line('/t')), { ...request, readonly: true }, op), failure('internal'))
  })

  it('that fails needs a person, and says what mount printed', async () => {
    const host = mounted('', 32, { stderr: 'wrong fs type' })
    await assert.rejects(mountFilesystem(host, request, op), failure('failed-precondition', /wrong fs type/))
  })
})

describe('bind mount', () => {
  it('read-only is remounted, looked at, and taken away when it is still writable', async () => {
    const bind = (options: string) => {
      const info = (text: string) => () => host.kernel.set(MOUNTINFO, text)
      const host = fakeHost(
        [
          { run: 'mount --bind -- /s /t', effect: info(line('/t')) },
          { run: 'mount -o remount,bind,ro -- /t', effect: info(line('/t', { options })) },
          { run: 'umount -- /t', effect: info('') },
        ],
        { [MOUNTINFO]: '' },
      )
      return host
    }
    const good = bind('ro,relatime')
    await bindMount(good, '/s', '/t', true, op)
    assert.equal(good.left(), 1)
    const bad = bind('rw')
    await assert.rejects(bindMount(bad, '/s', '/t', true, op), failure('internal', /still writable/))
    assert.equal(bad.left(), 0)
    const writable = bind('rw')
    await bindMount(writable, '/s', '/t', false, op)
    assert.equal(writable.said.length, 1)
  })
})

describe('unmountAll', () => {
  const unmounting = (steps: readonly { code?: number; stderr?: string; leaves: string }[], before: string) => {
    const host = fakeHost(
      steps.map(({ leaves, ...rest }) => ({
        run: 'umount -- /t',
        ...rest,
        effect: () => host.kernel.set(MOUNTINFO, leaves),
      })),
      { [MOUNTINFO]: before },
    )
    return host
  }
  const one = line('/t')
  const other = line('/t/below') + line('/other')

  it('takes off stacked mounts one by one and nothing else', async () => {
    const host = unmounting(
      [{ leaves: one + one + other }, { leaves: one + other }, { leaves: other }],
      one + one + one + other,
    )
    await unmountAll(host, '/t', op)
    assert.equal(host.left(), 0)
  })

  it('runs nothing where nothing is mounted', async () => {
    const host = unmounting([], other)
    await unmountAll(host, '/t', op)
    assert.deepEqual(host.said, [])
  })

  it('does not believe exit code 0 without effect', async () => {
    await assert.rejects(
      unmountAll(unmounting([{ leaves: one }], one), '/t', op),
      failure('failed-precondition', /still mounted/),
    )
  })

  it('does not believe 32 either: busy is an error, gone meanwhile is fine', async () => {
    const busy = unmounting([{ code: 32, stderr: 'umount: /t: target is busy.', leaves: one }], one)
    await assert.rejects(unmountAll(busy, '/t', op), failure('failed-precondition', /target is busy/))
    await unmountAll(unmounting([{ code: 32, stderr: 'not mounted', leaves: '' }], one), '/t', op)
  })

  it('gives up when somebody mounts as fast as it unmounts', async () => {
    await assert.rejects(unmountAll(unmounting([{ leaves: one }], one), '/t', op), failure('failed-precondition'))
  })

  it('is never stopped half-way, and never lazy or forced', async () => {
    const host = unmounting([{ leaves: '' }], one)
    await unmountAll(host, '/t', op)
    assert.equal(host.commands[0]?.onAbort, 'finish')
    assert.deepEqual(host.said, ['umount -- /t'])
  })
})
