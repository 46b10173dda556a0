// `ashlar doctor` on a real kernel: what is in order, the command itself, and its life beside a working driver.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { look, mend } from '../../src/doctor/doctor.ts'
import { attach, detach, op, short, useDoctor } from './doctor-bench.ts'
import { mountsAt, run } from './machine.ts'
import { MIB } from './volume.ts'

const { bench, driver, sites, lookNow, troubles, doctor, foreign, published, image } = useDoctor()

test('volumes in use are in order, and nothing is listed that is not ours', async () => {
  const ext4 = await published()
  const xfs = await published({ as: 'xfs' })
  const block = await published({ as: 'block', mode: 'MULTI_NODE_SINGLE_WRITER' })
  const view = await block.volume.publishAt(bench.path('view'), { readonly: true })
  const staged = await bench.volume().up()
  const idle = await bench.volume().create()
  // kubelet holds a loop device on a block volume as its lock, binds its node once more, and mounts folders of volumes.
  const lock = attach(block.volume.device)
  bench.defer(() => detach(lock))
  const bound = bench.path('kubelet-device')
  writeFileSync(bound, '')
  run('mount', '--bind', block.volume.device, bound)
  bench.defer(() => run('umount', bound))
  mkdirSync(join(ext4.target, 'folder'))
  const subPath = bench.path('kubelet-subpath')
  mkdirSync(subPath)
  run('mount', '--bind', join(ext4.target, 'folder'), subPath)
  bench.defer(() => run('umount', subPath))
  const others = foreign()

  const { problems, inOrder, unseen } = await lookNow()
  assert.deepEqual({ problems, unseen }, { problems: [], unseen: [] })
  const seen = (kind: string) => inOrder.filter(each => each.kind === kind).map(({ name }) => name)
  const all = [ext4.volume, xfs.volume, block.volume, staged, idle]
  assert.deepEqual(seen('volume').sort(), all.map(({ id }) => id).sort())
  assert.equal(seen('claim').length, 4)
  assert.deepEqual(seen('entry').sort(), [ext4.volume.id, xfs.volume.id, block.volume.id, staged.id].sort())
  assert.deepEqual(seen('target').sort(), [ext4.target, xfs.target, block.target, view].sort())
  assert.deepEqual(
    seen('device').sort(),
    [ext4.volume, xfs.volume, block.volume, staged].map(({ device }) => device).sort(),
  )
  assert.equal(seen('view').length, 1)
  assert.ok(
    !JSON.stringify(inOrder, (_, each) => (typeof each === 'bigint' ? String(each) : each)).includes(`"${others}"`),
  )
})

test('a pool that is not there is said to be unseen, and nothing is concluded from that', async () => {
  const volume = await bench.volume().up()
  const elsewhere = `${driver.pool}-elsewhere`
  renameSync(driver.pool, elsewhere)
  try {
    assert.deepEqual(await troubles(), [`unseen pool default in ${driver.pool}`])
    assert.ok(!existsSync(driver.pool), 'a look makes no pool')
    const { status, stdout } = doctor()
    assert.deepEqual([status, /^not seen {2}pool default/.test(stdout)], [2, true])
  } finally {
    renameSync(elsewhere, driver.pool)
  }
  assert.equal(mountsAt(volume.staging).length, 1)
})

test('the command: a table and an exit code, JSON for programs, and a dry run that changes nothing', async () => {
  const volume = await bench.volume({ as: 'block' }).create()
  const none = doctor()
  assert.deepEqual([none.status, none.stdout, none.stderr], [0, 'no problem, 1 in order\n', ''])
  const device = attach(volume.data)
  const before = image()
  const text = doctor('--all')
  assert.equal(text.status, 1)
  assert.match(text.stdout, /^VERDICT {2}KIND +AGE +SIZE +NAME\norphan +device .*0\.06 GiB +\/dev\/loop\d+$/m)
  assert.match(text.stdout, new RegExp(`--repair would detach ${device}, if nothing uses it`))
  assert.match(text.stdout, new RegExp(`^ok +volume .* ${volume.id}$`, 'm'))
  assert.match(text.stdout, /^1 problem, 1 in order$/m)
  const json = JSON.parse(doctor('--json').stdout) as { problems: Record<string, unknown>[]; ok: number }
  assert.deepEqual(image(), before)
  const [problem] = json.problems
  assert.deepEqual(
    [problem?.['kind'], problem?.['name'], problem?.['volume'], problem?.['verdict'], problem?.['sizeBytes'], json.ok],
    ['device', device, volume.id, 'orphan', String(64 * MIB), 1],
  )
  const repaired = doctor('--repair')
  assert.deepEqual([repaired.status, repaired.stderr], [0, ''])
  assert.match(repaired.stdout, new RegExp(`^mended {2}device ${device}: detach`))
  const wrong = doctor('--nonsense')
  assert.deepEqual([wrong.status, wrong.stdout], [2, ''])
  assert.match(wrong.stderr, /Unknown option '--nonsense'/)
})

test('beside a working driver doctor --repair harms no call and finds nothing', async () => {
  let isOver = false
  const live = async (lane: number): Promise<number> => {
    let lives = 0
    while (!isOver) {
      const as = (['ext4', 'block'] as const)[(lane + lives) % 2] ?? 'ext4'
      const volume = await bench.volume({ as }).up()
      const target = await volume.publishAt(bench.path('target'), { readonly: lane === 0 })
      await volume.unpublishAt(target)
      await volume.teardown()
      lives += 1
    }
    return lives
  }
  const lives = Promise.all([0, 1, 2].map(live))
  const found: string[] = []
  const opened = await sites()
  try {
    for (let n = 0; n < 6; n += 1) {
      const { mended, after } = await mend(opened, await look(opened, op), op)
      found.push(...mended.map(({ finding }) => `${finding.repair?.do} ${finding.name}`), ...short(after))
    }
  } finally {
    isOver = true
  }
  assert.ok((await lives).every(count => count > 0))
  // An interrupted call and one that goes on look the same; settling waits for its end, and then there is nothing to settle.
  assert.deepEqual(
    found.filter(each => !/^(settle|mismatch entry) vol-/.test(each)),
    [],
  )
  assert.deepEqual(await troubles(), [])
})
