// The marks of an unfinished format outlive mkfs, whatever the size: otherwise a killed mkfs could not be told from data.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { localHost } from '../../src/host/local.ts'
import { type FormatOptions, format } from '../../src/linux/format.ts'
import { clearMarkers, findMarkers, writeMarkers } from '../../src/linux/format-marker.ts'
import { attachLoop, detachLoop } from '../../src/linux/losetup.ts'
import { GIB, MIB, testOp } from '../fixtures.ts'

const host = localHost()
const op = testOp()
const ID = 'vol-default-0123456789abcdef0123456789abcdef'
const uuid = '0b5e1f5e-0000-8000-8000-000000000001'
const folder = mkdtempSync(join(tmpdir(), 'marks-'))
after(() => rmSync(folder, { recursive: true }))

const LARGE = [MIB * 512n, ...[1n, 2n, 3n, 5n, 8n, 10n, 20n, 50n, 100n, 250n, 500n, 1024n, 4096n].map(n => n * GIB)]
const SIZES = {
  ext4: [...[16n, 17n, 20n, 24n, 33n, 45n, 48n, 64n, 100n, 128n, 200n, 256n, 300n].map(n => n * MIB), ...LARGE],
  xfs: [...[300n, 301n, 333n, 400n].map(n => n * MIB), ...LARGE],
}
const OPTIONS: Record<'ext4' | 'xfs', Omit<FormatOptions, 'fsType' | 'uuid'>[]> = {
  ext4: [{}, { blockSize: 1024 }, { bytesPerInode: 4096, inodeSize: 512 }],
  xfs: [{}, { blockSize: 1024, inodeSize: 512 }],
}

/** How many marks were written, and how many are left when mkfs has ended. */
async function survivors(size: bigint, options: FormatOptions): Promise<{ written: number; left: number }> {
  const path = join(folder, 'image')
  writeFileSync(path, '')
  truncateSync(path, Number(size))
  const device = await attachLoop(host, { path, readonly: false, sectorSize: 512 }, op)
  try {
    await writeMarkers(host, device, ID, op)
    const written = (await findMarkers(host, { ...device, direct: true }, ID, op)).length
    await format(host, device, options, op)
    const left = (await findMarkers(host, { ...device, direct: true }, ID, op)).length
    await clearMarkers(host, device, ID, op)
    assert.deepEqual(await findMarkers(host, { ...device, direct: true }, ID, op), [])
    return { written, left }
  } finally {
    await detachLoop(host, device, op)
    rmSync(path)
  }
}

for (const fsType of ['ext4', 'xfs'] as const) {
  for (const options of OPTIONS[fsType]) {
    const words = Object.entries(options).map(([key, value]) => ` ${key}=${value}`)
    test(`mkfs.${fsType}${words.join()} leaves at least two marks alone on every size`, async t => {
      // Small blocks make mkfs.ext4 write whole bitmaps of large devices: minutes, and nothing new.
      const sizes = SIZES[fsType].filter(size => Object.keys(options).length === 0 || size <= 20n * GIB)
      const counts = new Set<string>()
      for (const size of sizes) {
        const { written, left } = await survivors(size, { fsType, uuid, ...options })
        assert.ok(left >= 2, `${size} bytes: ${left} of ${written} left`)
        counts.add(`${left} of ${written}`)
      }
      t.diagnostic(
        `mkfs.${fsType}${words.join()}: of ${sizes.length} sizes each kept ${[...counts].sort().join(' or ')}`,
      )
    })
  }
}
