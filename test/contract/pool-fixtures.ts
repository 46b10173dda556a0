// What the pool contract needs to know of each pool: how to configure it, and how to leave what a crash or a later version leaves.
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PoolConfig } from '../../src/pools/pool.ts'
import type { VolumeId } from '../../src/volume/types.ts'

export interface PoolFixture {
  /** Of a pool that keeps everything in this folder. */
  config(folder: string): PoolConfig
  /** Leaves what a process leaves that died long ago while it created, and while it deleted, this volume. */
  crash(folder: string, id: VolumeId): Promise<void>
  /** Everything that is there and belongs to no volume. */
  debris(folder: string): Promise<string[]>
  /** Makes the record of the volume one of a later version of the driver. */
  outdate(folder: string, id: VolumeId): Promise<void>
}

const LONG_AGO = new Date(Date.now() - 24 * 3600_000)

export const POOL_FIXTURES: Readonly<Record<string, PoolFixture>> = {
  file: {
    config: path => ({ type: 'file', path, overcommit: 1, sectorSize: 512 }),
    async crash(folder, id) {
      for (const place of ['drafts', 'trash']) {
        const path = join(folder, place, `${id}.0123456789ab`)
        await mkdir(join(path, 'claims'), { recursive: true })
        await writeFile(join(path, 'data'), 'half')
        await writeFile(join(path, 'volume.json.0123456789ab.tmp'), '{"kind":"vol')
        await utimes(path, LONG_AGO, LONG_AGO)
      }
    },
    debris: async folder => (await Promise.all(['drafts', 'trash'].map(place => readdir(join(folder, place))))).flat(),
    async outdate(folder, id) {
      const path = join(folder, 'volumes', id, 'volume.json')
      const document = JSON.parse(await readFile(path, 'utf8')) as { version: number }
      await writeFile(path, JSON.stringify({ ...document, version: document.version + 1 }))
    },
  },
}
