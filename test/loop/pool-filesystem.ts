// A filesystem of its own for the pool of a test: an image beside the work folder, which the pool is a symbolic link to.
import { existsSync, mkdirSync, rmdirSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { clear, mountsAt, run } from './machine.ts'
import { GIB } from './volume.ts'

export type PoolFilesystem = 'ext4' | 'xfs' | 'btrfs'

/** Can it make a copy at one instant? */
export const clones = (type: PoolFilesystem): boolean => type !== 'ext4'

const SIZE = 6 * GIB

interface Place {
  readonly folder: string
  readonly pool: string
}

/** `make` does nothing the second time; `remove` answers what was left in it. */
export const poolFilesystem = (place: Place, type: PoolFilesystem) => {
  const at = () => ({ image: `${place.folder}-${type}.img`, mount: `${place.folder}-${type}` })
  return {
    make() {
      const { image, mount } = at()
      if (existsSync(mount) && mountsAt(mount).length > 0) return
      writeFileSync(image, '')
      truncateSync(image, SIZE)
      run(`mkfs.${type}`, '-q', image)
      mkdirSync(mount)
      run('mount', '-o', 'loop', image, mount)
      symlinkSync(mount, place.pool)
    },
    remove(): string[] {
      const { image, mount } = at()
      if (!existsSync(image)) return []
      const found = clear(`${mount}/volumes`)
      run('umount', mount)
      for (const path of [place.pool, image]) unlinkSync(path)
      rmdirSync(mount)
      return found
    },
  }
}
