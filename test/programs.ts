// Programs for emulated machines, each in one file: loading hundreds of modules takes a processor there three times as long.
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { buildSync } from 'esbuild'

const ROOT = join(import.meta.dirname, '..')
/** They compile JavaScript again and again while it runs, which QEMU has to translate each time. */
const LITE = '--no-opt --no-maglev --no-sparkplug'
/** Packages in CommonJS expect it. */
const REQUIRE = 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);'
/** What the sources find by their own place: two folders up. */
const BESIDE = ['package.json', 'proto/csi.proto']

/** Makes `<folder>/dist/bin/<name>.mjs` of each source file; `sources` are paths in the project, by name. */
export function bundlePrograms(folder: string, sources: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, 'proto'), { recursive: true })
  for (const each of BESIDE) copyFileSync(join(ROOT, each), join(folder, each))
  buildSync({
    absWorkingDir: ROOT,
    entryPoints: sources,
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

/** The words of a shell that start such a program. */
export function programLine(folder: string, name: string): string {
  return `node ${LITE} ${join(folder, 'dist/bin', `${name}.mjs`)}`
}
