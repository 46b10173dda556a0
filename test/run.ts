// Runs the test layers named by the arguments (without any, all but those that run only by name) and ends with one line of counts.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cachePath } from '../hack/cache.ts'
import { firstMissing, type Part } from './layers/requirements.ts'
import {
  countResults,
  countsLine,
  failure,
  type LayerReport,
  readReports,
  type TestResult,
  writeReport,
} from './layers/result.ts'
import { judgeSkips, readExpectedSkips } from './layers/skips.ts'
import { LAYERS, type Layer, type LayerContext } from './layers/table.ts'

const root = join(import.meta.dirname, '..')
const names = LAYERS.map(layer => layer.name)
const USAGE = `usage: node test/run.ts [--only NAME-PATTERN] [--files PATH-PATTERN] [--bail] [--json FILE] [--parts] [${names.join('|')}]...`

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

const readArguments = () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      files: { type: 'string' },
      bail: { type: 'boolean' },
      json: { type: 'string' },
      parts: { type: 'boolean' },
    },
  })
  const isWanted = ({ name, onlyByName }: Layer) =>
    positionals.includes(name) || (positionals.length === 0 && onlyByName !== true)
  const unknown = positionals.filter(name => !names.includes(name))
  if (unknown.length > 0) throw new Error(`unknown layer: ${unknown.join(', ')}`)
  return { ...values, layers: LAYERS.filter(isWanted) }
}

type Filters = Pick<LayerContext, 'only' | 'files'>

const runLayer = async (layer: Layer, prepared: Promise<void>, filters: Filters): Promise<TestResult[]> => {
  const missing = firstMissing(layer.needs)
  if (missing !== undefined) return [failure(`the ${layer.name} layer can run here`, missing)]
  const reportDirectory = mkdtempSync(join(tmpdir(), 'ashlar-reports-'))
  const discard = (): void => rmSync(reportDirectory, { recursive: true, force: true })
  // Also when Ctrl-C ends the run in the middle of a layer.
  process.once('exit', discard)
  try {
    await prepared
    const context = { root, reportDirectory, ...filters }
    const found = await layer.run(context)
    const expected = readExpectedSkips(join(root, 'test/expected-skips.txt'))
    const results = layer.judgesSkips === true ? found : judgeSkips(layer.name, found, expected)
    results.push(...readReports(reportDirectory))
    if (results.length > 0 || Object.keys(filters).length > 0) return results
    return [failure(`the ${layer.name} layer runs at least one test`, 'no test ran')]
  } catch (error) {
    return [
      failure(`the ${layer.name} layer runs`, error instanceof Error ? (error.stack ?? error.message) : String(error)),
    ]
  } finally {
    process.off('exit', discard)
    discard()
  }
}

const indent = (text: string): string => text.replaceAll(/^/gm, '     ')

// Skips for one and the same reason share a line: csi-sanity skips dozens for each missing capability.
const printSkips = (layer: string, results: readonly TestResult[]): void => {
  const skipped = results.filter(({ status }) => status === 'skipped')
  for (const [reason, group] of Map.groupBy(skipped, ({ detail }) => detail ?? '')) {
    print(`SKIP ${layer}: ${group.length === 1 ? group[0]?.name : `${group.length} tests`} (${reason})`)
  }
}

/** Layers that take longer than this tell where the time went. */
const LONG_MS = 60_000
const SLOWEST = 5

const printSlowest = (results: readonly TestResult[]): void => {
  const timed = results.flatMap(({ name, durationMs: ms = 0 }) => (ms > 0 ? [{ name, ms }] : []))
  for (const { name, ms } of timed.sort((a, b) => b.ms - a.ms).slice(0, SLOWEST))
    print(`${(ms / 1000).toFixed(0).padStart(9)} s  ${name.replace(`${root}/`, '')}`)
}

const printReport = ({ layer, results, durationMs }: LayerReport): void => {
  for (const { name, status, file, detail } of results) {
    if (status !== 'failed') continue
    print(`FAIL ${layer}: ${name.replace(`${root}/`, '')}`)
    if (file !== undefined) print(indent(file.replace(`${root}/`, '')))
    if (detail !== undefined) print(indent(detail.trimEnd()))
  }
  printSkips(layer, results)
  if (durationMs > LONG_MS) printSlowest(results)
  print(`${layer.padEnd(9)} ${countsLine(countResults(results))}  (${(durationMs / 1000).toFixed(1)} s)`)
}

const reportOf = async (layer: Layer, prepared: Promise<void>, filters: Filters): Promise<LayerReport> => {
  const start = performance.now()
  const results = await runLayer(layer, prepared, filters)
  return { layer: layer.name, results, durationMs: Math.round(performance.now() - start) }
}

/** Begins what layers wait for; of one that cannot run here nothing begins. */
const prepareAll = (layers: readonly Layer[]): Map<Layer, Promise<void>> => {
  const ready = layers.filter(({ prepare, needs }) => prepare !== undefined && firstMissing(needs) === undefined)
  const begun = new Map(ready.map(layer => [layer, Promise.resolve(layer.prepare?.())]))
  // Told by the layer, not as an error that nobody waits for.
  for (const each of begun.values()) each.catch(() => {})
  return begun
}

/** Layers that run at the same time: neighbours that need nothing of each other. */
const groupsOf = (layers: readonly Layer[]): Layer[][] => {
  const groups: Layer[][] = []
  for (const layer of layers) {
    const last = groups.at(-1)
    if (last && layer.besideOthers === true && last.every(each => each.besideOthers === true)) last.push(layer)
    else groups.push([layer])
  }
  return groups
}

/** What scripts/setup is to see to before these layers run. */
const partsOf = (layers: readonly Layer[]): Part[] => {
  const needs = new Set(layers.flatMap(each => each.needs))
  return [...needs].filter(need => need !== 'root' && need !== 'loop')
}

const main = async (): Promise<number> => {
  const { layers, only, files, bail, json, parts } = readArguments()
  if (parts === true) {
    print(partsOf(layers).join(' '))
    return 0
  }
  const filters = { ...(only === undefined ? {} : { only }), ...(files === undefined ? {} : { files }) }
  const reports: LayerReport[] = []
  const prepared = prepareAll(layers)
  for (const group of groupsOf(layers)) {
    const done = await Promise.all(
      group.map(layer => reportOf(layer, prepared.get(layer) ?? Promise.resolve(), filters)),
    )
    for (const report of done) printReport(report)
    reports.push(...done)
    if (bail === true && done.some(({ results }) => countResults(results).failed > 0)) break
  }
  if (reports.every(report => report.results.length === 0)) {
    reports.push({
      layer: 'run',
      results: [failure('at least one test runs', `no test matches ${only ?? files ?? ''}`)],
      durationMs: 0,
    })
    print('FAIL run: no test matches')
  }
  if (json !== undefined) writeReport(json, reports)
  const total = countResults(reports.flatMap(report => report.results))
  print(countsLine(total))
  return total.failed === 0 ? 0 : 1
}

// Hundreds of processes load the same modules: what Node.js has made of one it makes of it no second time.
process.env['NODE_COMPILE_CACHE'] ??= cachePath('compiled')

try {
  process.exitCode = await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}\n`)
  process.exitCode = 2
}
