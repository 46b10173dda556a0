// Bundles the mains for the images: one file each, and beside them package.json, where they find their version.
import { chmodSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from 'esbuild'
import manifest from '../package.json' with { type: 'json' }

const root = resolve(import.meta.dirname, '..')
// Throws for what looks like an option: it has none.
const [folder = join(root, 'dist')] = parseArgs({ allowPositionals: true }).positionals
const out = resolve(folder)

await build({
  absWorkingDir: root,
  entryPoints: ['controller', 'node', 'all-in-one', 'cli'].map(name => `src/bin/${name}.ts`),
  outdir: join(out, 'dist/bin'),
  bundle: true,
  platform: 'node',
  target: 'node24',
  format: 'esm',
  // A start compiles all of it and uses little: less text is less to read. Names and lines stay, for stack traces.
  minifySyntax: true,
  minifyWhitespace: true,
  lineLimit: 160,
  legalComments: 'linked',
  alias: { 'protobufjs/ext/descriptor': join(import.meta.dirname, 'without-reflection.ts') },
  logLevel: 'warning',
  // What was written as CommonJS asks for modules of Node by this name, protobufjs also behind an eval.
  banner: { js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)" },
})
for (const name of ['controller', 'node', 'all-in-one', 'cli']) chmodSync(join(out, `dist/bin/${name}.js`), 0o755)
const { name, version, license } = manifest
writeFileSync(join(out, 'package.json'), `${JSON.stringify({ name, version, license, type: 'module' })}\n`)
