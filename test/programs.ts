// Programs for emulated machines, each in one file: loading hundreds of modules takes a processor there three times as long.
import { copyFileSync, mkdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { buildSync } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')
const FOLDER = 'programs'
/** The compilers that these stop compile JavaScript again and again while it runs, which QEMU has to translate each time. */
const LITE = '--no-opt --no-maglev --no-sparkplug'
/** Packages in CommonJS expect it. */
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
/** What the sources find by their own place: two folders up. */
const BESIDE = 'package.json'

/** Puts each of these sources, paths in the project, as one file into the folder `share`, which VMs see as /lab/share. */
export function installPrograms(share: string, sources: readonly string[]): void {
  const folder = join(share, FOLDER)
  mkdirSync(folder, { recursive: true })
  copyFileSync(join(ROOT, BESIDE), join(folder, BESIDE))
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: Object.fromEntries(sources.map(source => [basename(source, '.ts'), source])),
    outdir: join(folder, 'dist/bin'),
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: `node${process.versions.node}`,
    format: 'esm',
    banner: { js: REQUIRE },
    keepNames: true,
    logLevel: 'warning',
  })
}

/** The words of a VM's shell that start such a program: `name` is that of its source, without the ending. */
export function programLine(name: string): string {
  return `node ${LITE} /lab/share/${FOLDER}/dist/bin/${name}.mjs`
}
