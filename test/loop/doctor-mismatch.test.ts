// `ashlar doctor` and things that are not what their records say: named, and left alone.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { look, mend } from '../../src/doctor/doctor.ts'
import { markerPage, markerSpots } from '../../src/linux/format-marker.ts'
import { attach, detach, op, short, useDoctor } from './doctor-bench.ts'
import { backingOf, mountsAt, peek, poke, run } from './machine.ts'
import { GIB, MIB } from './volume.ts'

const { bench, driver, sites, lookNow, troubles, repairAll, foreign, noteOf, editNote, published } = useDoctor()

describe('mismatches', () => {
  test('two devices on one file', async () => {
    const volume = await bench.volume({ as: 'block' }).up()
    const second = attach(volume.data)
    bench.defer(() => detach(second))
    const left = [`mismatch device ${volume.device}`, `mismatch device ${second}`].sort()
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left })
    assert.equal(backingOf(second), volume.data)
  })

  test('a copy of a volume’s file that the driver would take for the volume', async () => {
    const volume = await bench.volume().create()
    const folder = join(bench.path('copies'), volume.id)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'data'), '')
    truncateSync(join(folder, 'data'), 64 * MIB)
    const device = attach(join(folder, 'data'))
    bench.defer(() => detach(device))
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left: [`mismatch device ${device}`] })
    assert.ok(backingOf(device))
  })

  test('a device that is larger than its file, begins elsewhere, or has other sectors', async () => {
    const truncated = await bench.volume({ as: 'block' }).up()
    truncateSync(truncated.data, 32 * MIB)
    const shifted = await bench.volume({ as: 'block' }).create()
    const second = attach(shifted.data, '--offset', '4096')
    const coarse = await bench.volume({ as: 'block' }).create()
    const third = attach(coarse.data, '--sector-size', '4096')
    bench.defer(() => {
      for (const path of [second, third]) detach(path)
      truncateSync(truncated.data, truncated.size)
    })
    const devices = [truncated.device, second, third].map(path => `mismatch device ${path}`)
    assert.deepEqual(await repairAll(), {
      mended: [],
      failed: [],
      left: [...devices, `mismatch volume ${truncated.id}`].sort(),
    })
  })

  test('another volume, or something foreign, at a noted path', async () => {
    const mine = await published()
    const other = await published()
    run('umount', mine.volume.staging)
    run('mount', '--bind', other.volume.staging, mine.volume.staging)
    run('mount', '-t', 'tmpfs', 'tmpfs', other.target)
    bench.defer(() => {
      run('umount', other.target)
      run('umount', mine.volume.staging)
    })
    const left = [`mismatch entry ${mine.volume.id}`, `mismatch target ${other.target}`].sort()
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left })
  })

  test('a bound node of another device', async () => {
    const { volume, target } = await published({ as: 'block' })
    // As after a detach behind the driver's back, which a bound node does not hinder: its number goes to whoever comes next.
    const thief = foreign()
    run('umount', target)
    run('mount', '--bind', thief, target)
    bench.defer(() => run('umount', target))
    const report = await lookNow()
    assert.deepEqual(short(report), [`mismatch target ${target}`])
    assert.match(report.problems[0]?.found ?? '', new RegExp(`the node of ${thief} is at .*, which shows .*foreign`))
    assert.deepEqual((await repairAll()).mended, [])
    assert.deepEqual([backingOf(thief) !== undefined, backingOf(volume.device)], [true, volume.data])
  })

  test('a filesystem with another UUID than the volume’s', async () => {
    const volume = await bench.volume({ as: 'xfs' }).up()
    run('umount', volume.staging)
    run('xfs_admin', '-U', 'generate', volume.device)
    run('mount', volume.device, volume.staging)
    const report = await lookNow()
    assert.deepEqual(short(report), [`mismatch device ${volume.device}`])
    assert.match(report.problems[0]?.found ?? '', /has UUID .*, the volume’s is/)
  })

  test('a mounted volume that still bears the mark of an unfinished format', async () => {
    const volume = await bench.volume({ size: GIB }).up()
    const spot = Number(markerSpots(BigInt(GIB)).at(-1))
    const before = peek(volume.device, spot, 4096)
    poke(volume.device, [spot, markerPage(volume.id)])
    assert.deepEqual(await troubles(), [`mismatch device ${volume.device}`])
    poke(volume.device, [spot, before])
    assert.deepEqual(await troubles(), [])
  })

  test('a target that was published read-only and takes writes, and a staged one that does not any more', async () => {
    const { volume, target } = await published({}, { readonly: true })
    run('mount', '-o', 'remount,bind,rw', target)
    const worn = await bench.volume().up()
    run('mount', '-o', 'remount,ro', worn.staging)
    assert.deepEqual(await troubles(), [`mismatch entry ${worn.id}`, `mismatch target ${target}`].sort())
    await volume.unpublishAt(target)
  })

  test('records that cannot be read are named, and nothing is guessed from them', async () => {
    const volume = await bench.volume({ as: 'block' }).up()
    const idle = await bench.volume({ as: 'block' }).create()
    const device = attach(idle.data)
    bench.defer(() => detach(device))
    const folder = join(driver.pool, 'volumes', volume.id)
    const [claim = ''] = readdirSync(join(folder, 'claims')).map(name => join(folder, 'claims', name))
    const record = join(driver.pool, 'volumes', idle.id, 'volume.json')
    const damaged = [claim, record, noteOf(volume)].map(path => ({ path, text: readFileSync(path) }))
    for (const { path } of damaged) writeFileSync(path, '{"kind":"volume","version":7,"content":{}}')
    const named = [`mismatch claim ${claim}`, `mismatch entry ${noteOf(volume)}`, `mismatch volume ${idle.id}`]
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left: named.sort() })
    for (const { path, text } of damaged) writeFileSync(path, text)
    assert.deepEqual(await troubles(), [`orphan device ${device}`])
  })

  test('a volume staged here and published nowhere, and one that its pool does not know', async () => {
    const unclaimed = await bench.volume().up()
    const claims = join(driver.pool, 'volumes', unclaimed.id, 'claims')
    const [claim = ''] = readdirSync(claims)
    const away = bench.path('claim')
    renameSync(join(claims, claim), away)
    const gone = await bench.volume().up()
    const folder = join(driver.pool, 'volumes', gone.id)
    const elsewhere = bench.path('volume')
    renameSync(folder, elsewhere)
    const { mended, left } = await repairAll()
    renameSync(elsewhere, folder)
    renameSync(away, join(claims, claim))
    assert.deepEqual(mended, [])
    assert.deepEqual(left, [`mismatch entry ${unclaimed.id}`, `mismatch entry ${gone.id}`].sort())
    assert.deepEqual(await troubles(), [])
  })

  test('an interrupted call is settled by --repair: the stage is taken back, the bytes stay', async () => {
    const { volume, target } = await published()
    writeFileSync(join(volume.staging, 'file'), 'data')
    editNote(volume, entry => ({
      ...entry,
      targets: [{ path: target, readonly: false, doing: 'publish' }],
    }))
    assert.deepEqual(await repairAll(), { mended: [`settle ${volume.id}`], failed: [], left: [] })
    assert.ok(!existsSync(target))
    editNote(volume, entry => ({ ...entry, doing: 'stage' }))
    const report = await lookNow()
    assert.match(report.problems[0]?.found ?? '', /begun and not seen to end: stage at/)
    assert.deepEqual(await repairAll(), { mended: [`settle ${volume.id}`], failed: [], left: [] })
    assert.deepEqual([mountsAt(volume.staging), backingOf(volume.device)], [[], undefined])
    await volume.publish()
    await volume.stage()
    assert.equal(readFileSync(join(volume.staging, 'file'), 'utf8'), 'data')
  })

  test('what cannot be settled stays, with the reason', async () => {
    const { volume, target } = await published()
    editNote(volume, entry => ({ ...entry, doing: 'unstage' }))
    const opened = await sites()
    const { mended, after } = await mend(opened, await look(opened, op), op)
    assert.match(mended[0]?.failure ?? '', /it is published at/)
    assert.deepEqual(short(after), [`mismatch entry ${volume.id}`])
    assert.equal(mountsAt(target).length, 1)
  })
})
