// Runs csi-sanity against the driver: one combination of mode, access type and filesystem; also a command of its own.
import { spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { firstMissing, sanityBinary } from '../layers/requirements.ts'
import { countResults, countsLine, failure, type TestResult, writeReport } from '../layers/result.ts'
import { controllerCapabilities } from './client.ts'
import { type Combination, combinationName, type SanityFiles, sanityFiles } from './combination.ts'
import { type DriverProcess, logTail, startDriver, stopDriver, waitReady } from './driver.ts'
import { findLoops, findMounts, listFiles, removeLeftovers } from './leftovers.ts'
import { ATTEMPTS, judgeSpecs, onlyConnectFailed, parseReport, parseSkipList, type Spec } from './report.ts'

export interface SanityOptions extends Combination {
  /** Regular expression on spec names (ginkgo's focus). */
  only?: string
  /** Starts the driver in another way than from its bundle: one process (all-in-one), or the controller and the node. */
  start?: (directory: string) => DriverProcess[]
  /** Where the work directory is made; by default where the system has its temporary files. */
  parent?: string
}

// What a log of a driver that minds its errors never holds: escaped errors, Node's warnings, programming errors.
const BAD_LOG_LINE = /unhandled|uncaught|\b\w+Warning:|\b(Type|Reference|Range|Syntax)Error\b/i

const runBinary = (directory: string, args: string[], signal: AbortSignal): Promise<string> =>
  new Promise(resolve => {
    const output = openSync(join(directory, 'csi-sanity.log'), 'a')
    const child = spawn(sanityBinary(), args, { cwd: directory, detached: true, stdio: ['ignore', output, output] })
    closeSync(output)
    // On SIGINT ginkgo runs its clean-up, then ends.
    signal.addEventListener('abort', () => child.kill('SIGINT'), { once: true })
    child.once('error', error => resolve(String(error)))
    child.once('close', (code, killed) => resolve(`exit ${killed ?? String(code)}`))
  })

const runSpecs = async (
  directory: string,
  drivers: readonly DriverProcess[],
  files: SanityFiles,
  only: string | undefined,
  signal: AbortSignal,
): Promise<Spec[]> => {
  for (const driver of drivers) await waitReady(driver)
  const [first, second] = drivers
  if (first === undefined) throw new Error('no driver process')
  const endpoints =
    second === undefined
      ? [`--csi.endpoint=${first.socket}`]
      : [`--csi.endpoint=${second.socket}`, `--csi.controllerendpoint=${first.socket}`]
  const capabilities = await controllerCapabilities(first.socket)
  for (let attempt = 1; ; attempt += 1) {
    const flags = [...endpoints, ...files.flags(capabilities, attempt)]
    if (only !== undefined) flags.push(`--ginkgo.focus=${only}`)
    rmSync(files.report, { force: true })
    const how = await runBinary(directory, flags, signal)
    if (!existsSync(files.report)) {
      const output = readFileSync(join(directory, 'csi-sanity.log'), 'utf8').split('\n').slice(-20).join('\n')
      throw new Error(`csi-sanity wrote no report (${how})\n${output}`)
    }
    const specs = parseReport(readFileSync(files.report, 'utf8'))
    if (attempt === ATTEMPTS || !onlyConnectFailed(specs)) return specs
  }
}

const check = (name: string, problems: readonly string[]): TestResult =>
  problems.length === 0 ? { name, status: 'passed' } : failure(name, problems.join('\n'))

const matchingLines = (log: string, matches: (line: string) => boolean): string[] =>
  readFileSync(log, 'utf8')
    .split('\n')
    .filter(matches)
    .slice(0, 5)
    .map(line => line.slice(0, 400))

const checkLogs = (prefix: string, drivers: readonly DriverProcess[], canary: string): TestResult[] => [
  check(
    `${prefix} the driver's log holds no secret`,
    // Not the line itself: it would put the secret into one more log.
    drivers.flatMap(({ role, log }) =>
      matchingLines(log, line => line.includes(canary)).map(() => `a line of ${role}.log holds a secret`),
    ),
  ),
  check(
    `${prefix} the driver's log holds no unhandled error`,
    drivers.flatMap(({ log }) => matchingLines(log, line => BAD_LOG_LINE.test(line))),
  ),
  check(
    `${prefix} the driver logs`,
    drivers.filter(({ log }) => readFileSync(log, 'utf8') === '').map(({ role }) => `${role}.log is empty`),
  ),
]

const checkLeftovers = (prefix: string, directory: string, before: ReadonlySet<string>): TestResult[] => [
  check(`${prefix} leaves no mount`, findMounts(directory)),
  check(
    `${prefix} leaves no loop device`,
    findLoops(directory).map(({ device, backing }) => `${device} ${backing}`),
  ),
  check(
    `${prefix} leaves no pool entry`,
    listFiles(join(directory, 'pool')).filter(file => !before.has(`pool/${file}`)),
  ),
  check(
    `${prefix} leaves no state`,
    listFiles(join(directory, 'state')).filter(file => !before.has(`state/${file}`)),
  ),
]

const entries = (directory: string): Set<string> =>
  new Set(['pool', 'state'].flatMap(part => listFiles(join(directory, part)).map(file => `${part}/${file}`)))

// The work directory goes only when nothing is mounted in it any more: a recursive delete would reach into the mount.
const cleanUp = (prefix: string, directory: string, drivers: readonly DriverProcess[]): TestResult[] => {
  for (const { child } of drivers) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  const problems = removeLeftovers(directory)
  if (findMounts(directory).length > 0 || findLoops(directory).length > 0) problems.push(`left: ${directory}`)
  else rmSync(directory, { recursive: true, force: true })
  return problems.length === 0 ? [] : [check(`${prefix} can be cleaned up`, problems)]
}

const runIn = async (
  directory: string,
  drivers: DriverProcess[],
  options: SanityOptions,
  signal: AbortSignal,
): Promise<TestResult[]> => {
  const prefix = combinationName(options)
  const files = sanityFiles(directory, options)
  const list = parseSkipList(readFileSync(join(import.meta.dirname, 'expected-skips.txt'), 'utf8'))
  for (const part of ['pool', 'state']) mkdirSync(join(directory, part))
  drivers.push(...(options.start?.(directory) ?? startDriver(directory, options.mode)))
  for (const driver of drivers) await waitReady(driver)
  const before = entries(directory)
  const results: TestResult[] = []
  try {
    const specs = await runSpecs(directory, drivers, files, options.only, signal)
    results.push(...judgeSpecs(prefix, specs, list, options.only !== undefined))
  } catch (error) {
    results.push(failure(`${prefix} runs`, `${String(error)}\n${drivers.map(logTail).join('\n')}`))
  }
  for (const driver of drivers) {
    const how = await stopDriver(driver)
    results.push(check(`${prefix} ${driver.role} exits 0 on SIGTERM`, how === 'exit 0' ? [] : [how, logTail(driver)]))
    results.push(check(`${prefix} ${driver.role} removes its socket`, existsSync(driver.socket) ? [driver.socket] : []))
  }
  return [...results, ...checkLogs(prefix, drivers, files.canary), ...checkLeftovers(prefix, directory, before)]
}

/** Runs one combination; every spec and every check afterwards is one result. Cleans up whatever happens. */
export const runSanity = async (options: SanityOptions): Promise<TestResult[]> => {
  const directory = realpathSync(mkdtempSync(join(options.parent ?? tmpdir(), 'ashlar-sanity-')))
  const drivers: DriverProcess[] = []
  const results: TestResult[] = []
  const interrupt = new AbortController()
  const onSignal = (): void => interrupt.abort()
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  try {
    results.push(...(await runIn(directory, drivers, options, interrupt.signal)))
  } catch (error) {
    results.push(failure(`${combinationName(options)} runs`, error instanceof Error ? error.message : String(error)))
  } finally {
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    results.push(...cleanUp(combinationName(options), directory, drivers))
  }
  if (interrupt.signal.aborted) process.exit(130)
  return results
}

const USAGE =
  'usage: node test/sanity/run-sanity.ts --mode all-in-one|split --access mount|block [--fs ext4|xfs] [--only RE] [--json FILE]'

const readCombination = (values: { mode?: string; access?: string; fs?: string }): Combination => {
  const { mode, access: accessType, fs: fsType } = values
  if (mode !== 'all-in-one' && mode !== 'split') throw new Error(USAGE)
  if (accessType !== 'mount' && accessType !== 'block') throw new Error(USAGE)
  if (fsType !== undefined && fsType !== 'ext4' && fsType !== 'xfs') throw new Error(USAGE)
  return { mode, accessType, ...(fsType === undefined ? {} : { fsType }) }
}

const main = async (): Promise<void> => {
  const text = { type: 'string' } as const
  const { values } = parseArgs({ options: { mode: text, access: text, fs: text, only: text, json: text } })
  const combination = readCombination(values)
  const missing = firstMissing(['root', 'tools', 'loop', 'sanity'])
  if (missing !== undefined) throw new Error(missing)
  const start = performance.now()
  const results = await runSanity({ ...combination, ...(values.only === undefined ? {} : { only: values.only }) })
  for (const { name, status, detail = '' } of results) {
    if (status === 'failed') process.stdout.write(`FAIL ${name}\n     ${detail}\n`)
  }
  const durationMs = Math.round(performance.now() - start)
  if (values.json !== undefined) writeReport(values.json, [{ layer: 'sanity', results, durationMs }])
  const counts = countResults(results)
  process.stdout.write(`${countsLine(counts)}\n`)
  process.exitCode = counts.failed === 0 ? 0 : 1
}

if (import.meta.main) {
  await main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 2
  })
}
