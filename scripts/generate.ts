// Regenerates src/rpc/generated from proto/csi.proto, and the schema of the chart's values from those of the driver; or with --check lists the committed files that differ.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { protoLoaderOptions } from '../src/rpc/proto-options.ts'
import { valuesSchema } from './chart-schema.ts'
import { describeProto } from './proto.ts'

const root = resolve(import.meta.dirname, '..')
const committed = join(root, 'src/rpc/generated')
const chartSchema = 'charts/ashlar/values.schema.json'

/** Turns the loader's options into the generator's flags: `true` is a bare flag, `String` is the flag's value. */
function optionFlags(): string[] {
  return Object.entries(protoLoaderOptions).map(([name, value]) => {
    if (typeof value === 'boolean') return value ? `--${name}` : `--no-${name}`
    return `--${name}=${value.name}`
  })
}

function generatorScript(): string {
  // The package exports no path to its bin, so it is found beside the manifest.
  const manifest = createRequire(import.meta.url).resolve('@grpc/proto-loader/package.json')
  return join(dirname(manifest), 'build/bin/proto-loader-gen-types.js')
}

/** Writes the types of proto/csi.proto, and the description that the driver loads, into the folder `outDir`. */
function generate(outDir: string): void {
  const flags = [
    ...optionFlags(),
    '--includeComments',
    '--grpcLib=@grpc/grpc-js',
    '--importFileExtension=.ts',
    '--includeDirs=proto',
    `--outDir=${outDir}`,
    // After the list option includeDirs a bare name would be taken for one more folder.
    '--',
    'csi.proto',
  ]
  execFileSync(process.execPath, [generatorScript(), ...flags], { cwd: root, stdio: 'inherit' })
  writeFileSync(join(outDir, 'csi.json'), describeProto())
}

/** All files below `folder` with their text, keyed by relative path. A missing folder has none. */
function readTree(folder: string): Map<string, string> {
  if (!existsSync(folder)) return new Map()
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(entry => entry.isFile())
  const paths = entries.map(entry => join(entry.parentPath, entry.name))
  return new Map(paths.map(path => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]))
}

/** Paths that `--check` reports, each with what is wrong with it. */
function findDrift(fresh: Map<string, string>, existing: Map<string, string>): string[] {
  const names = [...new Set([...fresh.keys(), ...existing.keys()])].sort()
  return names.flatMap(name => {
    if (!existing.has(name)) return [`${name}: missing`]
    if (!fresh.has(name)) return [`${name}: no longer generated`]
    return fresh.get(name) === existing.get(name) ? [] : [`${name}: differs`]
  })
}

function chartSchemaText(): string {
  return `${JSON.stringify(valuesSchema(), undefined, 2)}\n`
}

function check(): void {
  if (readFileSync(join(root, chartSchema), 'utf8') !== chartSchemaText()) {
    console.error(`${chartSchema} does not match src/schema; run \`node scripts/generate.ts\` and commit`)
    process.exitCode = 1
  }
  const scratch = mkdtempSync(join(tmpdir(), 'ashlar-generate-'))
  try {
    generate(scratch)
    const drift = findDrift(readTree(scratch), readTree(committed))
    if (drift.length === 0) return
    console.error('src/rpc/generated does not match proto/csi.proto; run `node scripts/generate.ts` and commit:')
    for (const line of drift) console.error(`  src/rpc/generated/${line}`)
    process.exitCode = 1
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
if (values.check) {
  check()
} else {
  // Emptied first, so that types of removed messages do not stay behind.
  rmSync(committed, { recursive: true, force: true })
  generate(committed)
  writeFileSync(join(root, chartSchema), chartSchemaText())
}
