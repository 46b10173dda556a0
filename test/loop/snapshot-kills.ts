// The driver killed at any instant of a snapshot, a clone, a restore or a deletion: a repeat comes to the end, nothing stays.
import assert from 'node:assert/strict'
import { randomBytes, randomInt } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, realpathSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { look } from '../../src/doctor/doctor.ts'
import { testOp } from '../fixtures.ts'
import { waitUntil } from '../patience.ts'
import { rounds } from '../scale.ts'
import { type Bench, outcome, sitesOf } from './harness.ts'
import { poke, sha256 } from './machine.ts'
import type { PoolFilesystem } from './pool-filesystem.ts'
import { cutterOf, fromSnapshot, fromVolume } from './snapshots.ts'
import { MIB } from './volume.ts'

export const SIZE = 192 * MIB
/** Longer than most of these calls, which take longer where bytes are copied. */
const LATEST_MS = { ext4: 1500, xfs: 300, btrfs: 300 }

/** Copies that outlived their driver: they write to files that nobody will ever read. */
const copying = (folder: string): boolean =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .some(pid => {
      try {
        const [file = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return /(^|\/)cp$/.test(file) && args.some(arg => arg.startsWith(folder))
      } catch {
        return false // it has ended
      }
    })

/** As if an hour had passed since the last change, for whoever sweeps. */
const age = (folder: string) => {
  const longAgo = new Date(Date.now() - 3600_000)
  for (const name of readdirSync(folder)) {
    const path = join(folder, name)
    if (statSync(path).isDirectory()) age(path)
    utimesSync(path, longAgo, longAgo)
  }
}

export interface Killer {
  /** Kills the driver somewhere in the call, and repeats that until it is OK. */
  survive(call: () => Promise<unknown>): Promise<void>
  /** Doctor finds nothing once the driver has swept its pool, as it does an hour later. */
  settle(): Promise<void>
}

export const killerOf = ({ driver }: Bench, type: PoolFilesystem): Killer => ({
  async survive(call) {
    const first = outcome(call())
    await sleep(randomInt(0, LATEST_MS[type]))
    await driver.kill()
    await first
    await driver.start()
    await waitUntil('the repeat is OK', async () => {
      const code = await outcome(call())
      assert.ok(['OK', 'ABORTED', 'UNAVAILABLE'].includes(code), code)
      return code === 'OK'
    })
  },
  async settle() {
    const pool = realpathSync(driver.pool)
    await waitUntil('no copy outlives its driver for ever', () => !copying(pool))
    age(pool)
    await driver.restart()
    for (const place of ['drafts', 'trash', 'locks'])
      assert.deepEqual(existsSync(join(pool, place)) ? readdirSync(join(pool, place)) : [], [], place)
    const { problems, unseen } = await look(await sitesOf(driver), testOp())
    assert.deepEqual([problems, unseen], [[], []])
  },
})

export const killTests = (bench: Bench, type: PoolFilesystem): void => {
  const { driver } = bench
  const cutter = cutterOf(bench)
  const { survive, settle } = killerOf(bench, type)

  test(`killed while a volume is copied on ${type}: snapshot, clone, restore and deletion come to the end`, async () => {
    const source = await bench.volume({ as: 'block', size: SIZE }).create()
    poke(source.data, [0, randomBytes(SIZE / 2)], [SIZE - MIB, randomBytes(MIB)])
    const sum = sha256(source.data)
    for (let round = 0; round < rounds(2, 60); round += 1) {
      const name = `kill-${round}`
      let id = ''
      await survive(async () => {
        id = (await cutter.ask(source, name)).snapshot_id
      })
      await cutter.cut(source, name)
      const clone = bench.volume({ as: 'block', size: SIZE })
      await survive(() => clone.create(fromVolume(source)))
      const restored = bench.volume({ as: 'block', size: SIZE + MIB })
      await survive(() => restored.create(fromSnapshot(id)))
      assert.equal(sha256(clone.data), sum)
      assert.equal(sha256(join(driver.pool, 'snapshots', id, 'data')), sum)
      for (const each of [clone, restored]) await survive(() => each.delete())
      await survive(() => cutter.remove(id))
      assert.deepEqual(await cutter.list(), [])
      // Nobody holds the source any more.
      await source.publish()
      await source.unpublish()
    }
    assert.equal(sha256(source.data), sum)
    await settle()
  })

  test(`killed while a source is deleted on ${type}: its snapshot and its copy stay whole, and go when they are told to`, async () => {
    for (let round = 0; round < rounds(2, 60); round += 1) {
      const source = await bench.volume({ as: 'block', size: 8 * MIB }).create()
      poke(source.data, [0, randomBytes(MIB)])
      const sum = sha256(source.data)
      const { snapshot_id: id } = await cutter.cut(source, `kept-${round}`)
      const clone = await bench.volume({ as: 'block', size: 8 * MIB }).create(fromVolume(source))
      await survive(() => source.delete())
      const restored = await bench.volume({ as: 'block', size: 8 * MIB }).create(fromSnapshot(id))
      assert.deepEqual([sha256(clone.data), sha256(restored.data)], [sum, sum])
      for (const each of [clone, restored]) await each.delete()
      await survive(() => cutter.remove(id))
      assert.deepEqual(await cutter.list(), [])
    }
    await settle()
  })

  test(`a snapshot that is deleted while its bytes are copied on ${type}: the source is free, and the name too`, async () => {
    const source = await bench.volume({ as: 'block', size: SIZE }).create()
    poke(source.data, [0, randomBytes(SIZE / 2)])
    for (let round = 0; round < rounds(3, 100); round += 1) {
      const first = outcome(cutter.ask(source, 'again'))
      let id = ''
      await waitUntil('it is cut', async () => {
        id = (await cutter.list())[0]?.snapshot_id ?? ''
        return id !== ''
      })
      await cutter.remove(id)
      assert.ok(['OK', 'ABORTED', 'UNAVAILABLE'].includes(await first))
      assert.deepEqual(await cutter.list(), [])
      await source.publish()
      await source.unpublish()
    }
    await settle()
  })
}
