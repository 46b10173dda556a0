// `ashlar doctor` and what no record accounts for: named, and mended where that loses nothing.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { digest, encodeVolumeId } from '../../src/volume/ids.ts'
import { age, attach, detach, useDoctor } from './doctor-bench.ts'
import { backingOf, mountsAt, run } from './machine.ts'

const { bench, driver, troubles, repairAll, foreign, noteOf, published } = useDoctor()

describe('orphans', () => {
  test('a device that neither a claim nor the journal knows is detached by --repair, foreign ones stay', async () => {
    const volume = await bench.volume().create()
    const device = attach(volume.data)
    const others = foreign()
    assert.deepEqual(await troubles(), [`orphan device ${device}`])
    assert.equal(backingOf(device), volume.data, 'a look changes nothing')
    assert.deepEqual(await repairAll(), { mended: [`detach ${device}`], failed: [], left: [] })
    assert.equal(backingOf(device), undefined)
    assert.ok(backingOf(others))
  })

  test('a device in use is named with its users, its mount too, and both are left alone', async () => {
    const volume = await bench.volume().up()
    writeFileSync(join(volume.staging, 'file'), 'data')
    await volume.unstage()
    await volume.unpublish()
    const device = attach(volume.data)
    const path = bench.path('by-hand')
    mkdirSync(path)
    run('mount', device, path)
    bench.defer(() => {
      run('umount', path)
      detach(device)
    })
    const named = [`orphan device ${device}`, `orphan mount ${path}`]
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left: named })
    assert.equal(readFileSync(join(path, 'file'), 'utf8'), 'data')
  })

  test('mounts that outlived the state directory', async () => {
    const { volume, target } = await published()
    const note = readFileSync(noteOf(volume))
    unlinkSync(noteOf(volume))
    const named = [`orphan mount ${volume.staging}`, `orphan mount ${target}`].sort()
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left: named })
    assert.equal(mountsAt(target).length, 1)
    writeFileSync(noteOf(volume), note)
    assert.deepEqual(await troubles(), [])
  })

  test('a read-only view that is bound nowhere is detached, a writable device on top is not ours', async () => {
    const volume = await bench.volume({ as: 'block' }).up()
    const view = attach(volume.device, '--read-only')
    const lock = attach(volume.device)
    bench.defer(() => detach(lock))
    assert.deepEqual(await troubles(), [`orphan view ${view}`])
    assert.deepEqual(await repairAll(), { mended: [`detach ${view}`], failed: [], left: [] })
    assert.equal(backingOf(view), undefined)
    assert.equal(backingOf(lock), volume.device)
  })

  test('stale drafts and trash are removed, young ones and claimed ones stay', async () => {
    const id = encodeVolumeId('default', 'never created')
    const make = (folder: string, suffix: string, old: boolean): string => {
      const path = join(driver.pool, folder, `${id}.${suffix}`)
      mkdirSync(join(path, 'claims'), { recursive: true })
      writeFileSync(join(path, 'data'), 'x')
      if (old) age(path)
      return path
    }
    const draft = make('drafts', 'aaaaaaaaaaaa', true)
    const trash = make('trash', 'bbbbbbbbbbbb', true)
    const young = make('drafts', 'cccccccccccc', false)
    const claimed = make('trash', 'dddddddddddd', false)
    writeFileSync(join(claimed, 'claims', `${'0'.repeat(32)}.json`), '{}')
    age(claimed)
    const unfinished = join(driver.state, `${digest(id)}.json.0123456789ab.tmp`)
    writeFileSync(unfinished, '{"ver')
    age(unfinished)
    const stale = [draft, trash, unfinished]
    const named = [`orphan draft ${draft}`, `orphan draft ${unfinished}`, `orphan trash ${trash}`]
    assert.deepEqual(await troubles(), [`mismatch trash ${claimed}`, ...named].sort())
    const { mended, failed, left } = await repairAll()
    assert.deepEqual(mended.sort(), [`discard ${draft}`, `discard ${trash}`, `remove-draft ${unfinished}`].sort())
    assert.deepEqual({ failed, left }, { failed: [], left: [`mismatch trash ${claimed}`] })
    assert.deepEqual(stale.filter(existsSync), [])
    assert.deepEqual([young, claimed].map(existsSync), [true, true])
    for (const path of [young, claimed]) {
      for (const name of readdirSync(join(path, 'claims'))) unlinkSync(join(path, 'claims', name))
      rmdirSync(join(path, 'claims'))
      unlinkSync(join(path, 'data'))
      rmdirSync(path)
    }
  })

  test('a folder among the volumes that is none', async () => {
    const path = join(driver.pool, 'volumes', 'notes')
    mkdirSync(path)
    bench.defer(() => rmdirSync(path))
    assert.deepEqual(await repairAll(), { mended: [], failed: [], left: [`orphan volume ${path}`] })
  })
})
