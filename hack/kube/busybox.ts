// An image with nothing but busybox in it, as an archive that containerd imports: no registry is asked.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What pods ask for; docs/walk-through.md as well. */
export const IMAGE = 'docker.io/library/busybox:stable'
/** Debian's, which needs no library. */
const BUSYBOX = '/usr/bin/busybox'
/** What the pods of tests run, and what keeps a pod's namespaces. */
const APPLETS = ['cat', 'cut', 'dd', 'df', 'sh', 'sleep', 'stat', 'sync', 'tail', 'touch', 'tr']

/** Writes the archive, in the format of `docker save`; makes its parts below a folder. */
export function packBusybox(folder: string, archive: string): void {
  const work = join(folder, 'busybox')
  const bin = join(work, 'root/bin')
  mkdirSync(bin, { recursive: true })
  // An image without its libraries would hold a program that cannot start.
  if (readFileSync(BUSYBOX).includes('/ld-linux')) throw new Error(`${BUSYBOX} needs libraries: install busybox-static`)
  copyFileSync(BUSYBOX, join(bin, 'busybox'))
  for (const name of APPLETS) symlinkSync('busybox', join(bin, name))
  tar(join(work, 'layer.tar'), join(work, 'root'), 'bin')
  const layer = createHash('sha256')
    .update(readFileSync(join(work, 'layer.tar')))
    .digest('hex')
  const json = (name: string, value: object): void => writeFileSync(join(work, name), JSON.stringify(value))
  json('config.json', {
    architecture: { x64: 'amd64' }[process.arch as string] ?? process.arch,
    os: 'linux',
    config: { Env: ['PATH=/bin'], Entrypoint: ['/bin/sleep', '2147483647'] },
    rootfs: { type: 'layers', diff_ids: [`sha256:${layer}`] },
  })
  json('manifest.json', [{ Config: 'config.json', RepoTags: [IMAGE], Layers: ['layer.tar'] }])
  tar(archive, work, 'manifest.json', 'config.json', 'layer.tar')
}

function tar(archive: string, folder: string, ...names: readonly string[]): void {
  execFileSync('tar', ['--create', '--file', archive, '--directory', folder, '--owner=0', '--group=0', ...names])
}
