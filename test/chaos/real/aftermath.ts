// What a run of the driver has left behind when every volume is deleted, and what doctor thinks of it.
import { existsSync, readdirSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import type { Driver } from '../../loop/driver.ts'
import { loopsBelow, mountsBelow } from '../../loop/machine.ts'

const list = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : []

/** What a killed CreateVolume or DeleteVolume left is swept by the next start once it is old: makes it old. */
export const ageDrafts = (driver: Driver): void => {
  const old = new Date(Date.now() - 3_600_000)
  for (const path of ['drafts', 'trash'].flatMap(name => list(join(driver.pool, name)))) utimesSync(path, old, old)
}

/** Everything of the driver that should be gone with its last volume. */
export const leftovers = (driver: Driver): string[] => [
  ...mountsBelow(driver.folder).map(({ path }) => `mount ${path}`),
  ...loopsBelow(driver.folder).map(({ path, backing }) => `${path} backed by ${backing}`),
  ...['volumes', 'drafts', 'trash'].flatMap(name => list(join(driver.pool, name))),
  ...list(driver.state),
]
