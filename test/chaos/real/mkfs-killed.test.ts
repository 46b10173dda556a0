// Mkfs and the driver are killed at 20 instants each; the next stage anywhere ends mounted, and never formats data.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { markerPage, markerSpots } from '../../../src/linux/format-marker.ts'
import { refused, useDriver } from '../../loop/harness.ts'
import { clear, loopsBelow, mountsAt, peek, poke, scaled, sha256 } from '../../loop/machine.ts'
import { stopMkfs } from '../../loop/mkfs.ts'
import { MIB, type TestVolume } from '../../loop/volume.ts'
import { waitUntil } from '../../patience.ts'
import { diceOf, seedOf } from './dice.ts'
import { persist } from './retry.ts'

const seed = seedOf()
const bench = useDriver({ spares: true })
const { driver } = bench
const INSTANTS = scaled(20)

/** Write calls of a process so far: proc(5), /proc/pid/io. */
const written = (pid: number): number => {
  try {
    return Number(/^syscw: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0 // it has ended
  }
}

const markersOn = (volume: TestVolume): number =>
  markerSpots(BigInt(volume.size)).filter(
    spot => peek(volume.data, Number(spot), 4096).toString('latin1') === markerPage(volume.id),
  ).length

/** What a killed mkfs left, as a probe sees it; the kernel refuses to mount an xfs whose sb_inprogress byte (126) is set. */
const remainsOf = ({ data }: TestVolume): string => {
  const { stdout } = spawnSync('blkid', ['--probe', '--output', 'value', '--match-tag', 'TYPE', data], {
    encoding: 'utf8',
  })
  const type = stdout.trim()
  if (type === '') return 'nothing that a probe knows'
  return type === 'xfs' && peek(data, 126, 1)[0] === 1 ? 'an unfinished xfs' : `a superblock of ${type}`
}

/** Would the kernel mount what is on the device now? Both write the superblock, or its last byte, at the very end. */
const isComplete = ({ device }: TestVolume, as: 'ext4' | 'xfs'): boolean => {
  const head = peek(device, 0, 2048)
  if (as === 'ext4') return head.readUInt16LE(1024 + 56) === 0xef53
  return head.toString('latin1', 0, 4) === 'XFSB' && head[126] === 0
}

/** What a reboot leaves of the node: no loop device, no mount, and here not even the journal. */
const forgetNode = (): void => {
  clear(driver.folder)
  for (const name of readdirSync(driver.state)) rmSync(join(driver.state, name), { recursive: true })
}

/** How much a whole mkfs writes, seen at the same small steps at which it is killed later. */
const rehearse = async (as: 'ext4' | 'xfs'): Promise<number> => {
  let most = 0
  await assert.rejects(
    stopMkfs(
      bench,
      as,
      pid => {
        most = Math.max(most, written(pid))
        return false
      },
      3,
    ),
    /no mkfs could be stopped/,
  )
  return most
}

for (const as of ['ext4', 'xfs'] as const) {
  test(`mkfs.${as} and the driver killed at ${INSTANTS} instants (seed ${seed}: ASHLAR_TEST_SEED repeats it)`, async t => {
    const all = await rehearse(as)
    assert.ok(all > 0)
    let marked = 0
    const remains = new Map<string, number>()
    for (let n = 0; n < INSTANTS; n += 1) {
      const dice = diceOf(seed, 'mkfs', as, n)
      // One in every equal part of all that is written.
      const until = ((n + dice.fraction()) / INSTANTS) * all
      const isLast = n === INSTANTS - 1
      const { volume, mkfs } = await stopMkfs(bench, as, (pid, each) =>
        isLast ? isComplete(each, as) : written(pid) >= until,
      )
      await driver.kill()
      await mkfs.kill()
      const route = volume.route
      marked += markersOn(volume) > 0 ? 1 : 0
      const left = remainsOf(volume)
      remains.set(left, (remains.get(left) ?? 0) + 1)

      const elsewhere = n % 2 === 1
      if (elsewhere) forgetNode()
      await driver.start()
      if (elsewhere) {
        await volume.unpublish()
        await volume.publish()
      }
      await persist(`stage after ${Math.round(until)} of ${all} writes`, new Map(), () => volume.stage())
      assert.deepEqual(
        mountsAt(volume.staging).map(({ fsType }) => fsType),
        [as],
      )
      assert.equal(markersOn(volume), 0)

      // What was mounted is never formatted again: not for an attestation from before, and not without a journal.
      writeFileSync(join(volume.staging, 'file'), `data ${n}`, { flush: true })
      await volume.unstage()
      if (elsewhere) forgetNode()
      await volume.stage({ publish_context: route })
      assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), `data ${n}`)
      await volume.teardown()
    }
    const counts = [...remains].map(([left, count]) => `${count} ${left}`).join(', ')
    t.diagnostic(`${INSTANTS} kills of mkfs.${as} within ${all} writes left: ${counts}`)
    assert.equal(marked, INSTANTS)
  })

  test(`a used ${as} that lost its superblocks is refused, attested or not`, async () => {
    const volume = await bench.volume({ as }).up()
    writeFileSync(join(volume.staging, 'file'), 'data'.repeat(MIB), { flush: true })
    await volume.unstage()
    // Everything that a probe looks at; the data is elsewhere.
    poke(volume.data, [0, Buffer.alloc(4 * MIB)])
    const before = sha256(volume.data)
    for (const over of [{}, { publish_context: { ...volume.route, blank: 'true' } }]) {
      await refused(volume.stage(over), 'FAILED_PRECONDITION')
      forgetNode()
      await driver.restart()
      await refused(volume.stage(over), 'FAILED_PRECONDITION')
    }
    assert.equal(sha256(volume.data), before)
  })
}

test('a stage that nobody repeats is taken back by the next driver', async () => {
  for (const as of ['ext4', 'xfs'] as const) {
    const { volume, mkfs } = await stopMkfs(bench, as, pid => written(pid) > 0)
    await driver.kill()
    await mkfs.kill()
    assert.equal(loopsBelow(volume.data).length, 1)
    await driver.start()
    const entries = () => readdirSync(driver.state).filter(name => name.endsWith('.json'))
    // No call: the driver does it by itself, some time after it serves.
    await waitUntil('neither device nor journal entry', () => loopsBelow(volume.data).length + entries().length === 0)
    await volume.teardown()
  }
})
