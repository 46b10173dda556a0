// Sixty-four volumes live and die at the same time: nobody is turned away, nothing leaks, every filesystem is intact.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { useDriver } from './harness.ts'
import { peek, run, scaled } from './machine.ts'
import type { TestVolume } from './volume.ts'

const COUNT = scaled(64)
const KINDS = ['ext4', 'xfs', 'ext4', 'block'] as const

const bench = useDriver()

const writeDurably = (path: string, content: Buffer) => {
  const file = openSync(path, path.endsWith('/file') ? 'wx' : 'r+')
  writeSync(file, content, 0, content.length, 0)
  fsyncSync(file)
  closeSync(file)
}

const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex')

test('64 volumes (fewer in a guest) are staged and published concurrently, written, and torn down', async () => {
  const volumes = Array.from({ length: COUNT }, (_, n) => {
    const kind = KINDS[n % KINDS.length] ?? 'ext4'
    return { kind, volume: bench.volume({ as: kind }), target: bench.path('t'), content: randomBytes(64 * 1024) }
  })
  const all = async (step: (each: (typeof volumes)[number]) => Promise<unknown>) => await Promise.all(volumes.map(step))
  const fileOf = ({ kind, target }: (typeof volumes)[number]) => (kind === 'block' ? target : join(target, 'file'))

  // Every call of every volume must succeed at the first try: an ABORTED would reject.
  await all(async ({ volume, target }) => {
    await volume.up()
    await volume.publishAt(target)
  })
  const devices = new Set(volumes.map(({ volume }) => volume.device))
  assert.equal(devices.size, COUNT, 'every volume has a device of its own')

  for (const each of volumes) writeDurably(fileOf(each), each.content)
  for (const each of volumes) {
    assert.equal(sha256(peek(fileOf(each), 0, each.content.length)), sha256(each.content), each.volume.name)
  }

  await all(async ({ volume, target }) => {
    await volume.unpublishAt(target)
    await volume.unstage()
    await volume.unpublish()
  })
  for (const { kind, volume } of volumes) checkIntact(kind, volume)
})

/** The backing file is no device any more: the checkers of the filesystems read it as it is. */
function checkIntact(kind: (typeof KINDS)[number], volume: TestVolume): void {
  if (kind === 'ext4') run('e2fsck', '-fn', volume.data)
  if (kind === 'xfs') run('xfs_repair', '-n', '-f', volume.data)
}
