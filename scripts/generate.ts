// Regenerates what is made of proto/csi.proto and of the driver's schemas; or with --check lists the committed files that differ.
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { protoLoaderOptions } from '../src/rpc/proto-options.ts'
import { valuesSchema } from './chart-schema.ts'
import { describeServices } from './proto.ts'
import { schemaChecks, schemaCheckTypes } from './schema-checks.ts'

const root = resolve(import.meta.dirname, '..')
const chartSchema = 'charts/ashlar/values.schema.json'
/** Folders of which all is generated, each with what writes it into a folder that is given. */
const FOLDERS: Readonly<Record<string, (outDir: string) => void>> = {
  'src/rpc/generated': generateRpc,
  'src/schema/generated': generateChecks,
}

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

/** The types of proto/csi.proto, and the descriptions that the driver loads. */
function generateRpc(outDir: string): void {
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
  for (const [service, json] of describeServices()) writeFileSync(join(outDir, `${service}.json`), json)
}

function generateChecks(outDir: string): void {
  writeFileSync(join(outDir, 'checks.js'), schemaChecks())
  writeFileSync(join(outDir, 'checks.d.ts'), schemaCheckTypes())
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

/** Into a folder of its own first: what is generated is imported here, and must not be gone when something throws. */
function inScratch(generate: (outDir: string) => void, then: (scratch: string) => void): void {
  const scratch = mkdtempSync(join(tmpdir(), 'ashlar-generate-'))
  try {
    generate(scratch)
    then(scratch)
  } finally {
    rmSync(scratch, { recursive: true })
  }
}

function report(drift: string): void {
  if (process.exitCode === undefined) console.error('not what is generated; run `node scripts/generate.ts` and commit:')
  console.error(`  ${drift}`)
  process.exitCode = 1
}

const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } })
if (values.check && readFileSync(join(root, chartSchema), 'utf8') !== chartSchemaText())
  report(`${chartSchema}: differs`)
if (!values.check) writeFileSync(join(root, chartSchema), chartSchemaText())
for (const [folder, generate] of Object.entries(FOLDERS)) {
  const committed = join(root, folder)
  inScratch(generate, scratch => {
    if (values.check) {
      for (const line of findDrift(readTree(scratch), readTree(committed))) report(`${folder}/${line}`)
      return
    }
    // Emptied, so that types of removed messages do not stay behind.
    rmSync(committed, { recursive: true, force: true })
    cpSync(scratch, committed, { recursive: true })
  })
}
