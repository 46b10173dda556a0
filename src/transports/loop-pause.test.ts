// Tests of holding writes to loop devices: what is frozen, what cannot be, and what shows that a write came through.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { deviceOf, failure, kernelOf, testOp } from '../../test/fixtures.ts'
import { fakeHost, type Line } from '../host/fake.ts'
import type { Held } from '../host/host.ts'
import type { Device } from '../linux/device.ts'
import { Unavailable } from '../volume/errors.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import { pauseLoops, resumeLoops } from './loop-pause.ts'

const op = testOp()
const ID = encodeVolumeId('p', 'one')
const DEVICE = deviceOf()
const MOUNTED = '30 20 7:7 / /stage rw - ext4 /dev/loop7 rw\n'
const counted = (writes: number, underWay = 0) => ({
  '/sys/block/loop7/stat': `5 0 40 1 ${writes} 0 ${writes * 8} 1 0 1 1 0 0 0 0 3 1\n`,
  '/sys/block/loop7/inflight': `       0        ${underWay}\n`,
})

function setUp(mounts: string, more: Readonly<Record<string, string>> = {}, script: readonly Line[] = []) {
  const kernel = { ...kernelOf(DEVICE, '/pool/data'), ...counted(5), '/proc/self/mountinfo': mounts, ...more }
  const fake = fakeHost(script, kernel)
  const state = { frozen: [] as string[], devices: [DEVICE] as Device[], early: false }
  const hold = async ({ args }: Held) => {
    state.frozen.push(String(args.at(-2)))
    return async () => {
      state.frozen.pop()
      if (state.early) throw new Unavailable({ asked: 'hold', found: 'it ended with 124', next: 'call again' })
    }
  }
  const host = { ...fake, hold }
  const set = (files: Readonly<Record<string, string>>) => {
    for (const [path, text] of Object.entries(files)) fake.kernel.set(path, text)
  }
  return { host, state, set, pause: () => pauseLoops(host, ID, async () => state.devices, op) }
}

describe('a pause of a loop device', () => {
  it('freezes its filesystem, at one of its mounts, until it is let go', async () => {
    const { state, pause } = setUp(`${MOUNTED}31 20 7:7 / /pod ro - ext4 /dev/loop7 rw\n`)
    const letGo = await pause()
    assert.deepEqual(state.frozen, ['/stage'])
    await letGo()
    assert.deepEqual(state.frozen, [])
  })

  it('freezes nothing that cannot be written to, or that nobody has mounted or attached', async () => {
    for (const mounts of ['30 20 7:7 / /stage ro - ext4 /dev/loop7 ro\n', '30 20 8:1 / / rw - ext4 /dev/sda1 rw\n']) {
      const { state, pause } = setUp(mounts)
      const letGo = await pause()
      assert.deepEqual(state.frozen, [])
      await letGo()
    }
    const { state, pause } = setUp(MOUNTED)
    state.devices = []
    await (await pause())()
    state.devices = [{ ...DEVICE, readonly: true }]
    await (await pause())()
    assert.deepEqual(state.frozen, [])
  })

  it('is refused for a raw block volume in use, for what is stacked on it, and for a mount that it cannot see', async () => {
    const node = '30 20 0:6 /loop7 /pod rw - devtmpfs udev rw\n'
    const refused = (words: RegExp) => failure('failed-precondition', words)
    await assert.rejects(setUp(node).pause(), refused(/raw block volume in use at \/pod/))
    await assert.rejects(setUp('', { '/sys/block/loop7/holders/dm-0': '' }).pause(), refused(/held by dm-0/))
    await assert.rejects(setUp('', { '/sys/fs/xfs/loop7/stats': '' }).pause(), refused(/cannot see it/))
  })

  it('was none when a write came through, is under way, or came to another device, and lets go all the same', async () => {
    for (const change of [counted(6), counted(5, 1)]) {
      const { state, set, pause } = setUp(MOUNTED)
      const letGo = await pause()
      set(change)
      await assert.rejects(letGo(), failure('unavailable', /written to meanwhile: .* 5 writes/))
      assert.deepEqual(state.frozen, [])
    }
    for (const devices of [[], [{ ...DEVICE, sequence: '8' }]]) {
      const { state, pause } = setUp('')
      const letGo = await pause()
      state.devices = devices
      await assert.rejects(letGo(), failure('unavailable'))
    }
  })

  it('was none when the freeze had ended before, whatever the counters say', async () => {
    const { state, pause } = setUp(MOUNTED, {}, [{ run: 'fsfreeze --unfreeze /stage', code: 1 }])
    const letGo = await pause()
    state.early = true
    await assert.rejects(letGo(), failure('unavailable', /ended with 124/))
  })

  it('lets go what it has frozen when the writes cannot be counted', async () => {
    const { state, pause } = setUp(MOUNTED, { '/sys/block/loop7/stat': '' })
    await assert.rejects(pause(), failure('unavailable', /the kernel shows none/))
    assert.deepEqual(state.frozen, [])
  })
})

it('a pause that nobody ends any more is ended once, where there is something mounted', async () => {
  const { host } = setUp(`${MOUNTED}31 20 7:7 / /pod rw - ext4 /dev/loop7 rw\n`, {}, [
    { run: 'fsfreeze --unfreeze /stage' },
  ])
  await resumeLoops(host, [DEVICE, deviceOf(1n, { number: '7:8' })], op)
  assert.equal(host.left(), 0)
})
