// The demo: a driver of its own, three volumes' whole lives over gRPC, a table, and nothing left behind.
import type { Host } from '../host/host.ts'
import { localHost } from '../host/local.ts'
import { isCode } from '../host/local-files.ts'
import { answerOf } from '../rpc/client.ts'
import { type DemoDriver, NODE_ID, startDriver } from './demo-driver.ts'
import { clearFolder, describeLeftovers, endpointOf, findLeftovers } from './demo-leftovers.ts'
import { CAP_SYS_RESOURCE, findMissing, hasCapability } from './demo-requirements.ts'
import { createRun, listDeadRuns, PARENT } from './demo-run.ts'
import { createSteps, layoutResults, type Steps } from './demo-steps.ts'
import { DemoVolume, KINDS } from './demo-volume.ts'
import { createTerminal, formatDuration, type Terminal } from './terminal.ts'

const EXIT = { ok: 0, failed: 1, missing: 2, stopped: 130 } as const

interface Demo {
  readonly host: Host
  readonly terminal: Terminal
  readonly signal: AbortSignal
  readonly columns: { name: string; results: Steps['results'] }[]
  work?: string
  driver?: DemoDriver
  /** The one whose life is not over. */
  volume?: DemoVolume
}

/** Answers the exit code: 0 all well, 1 something failed, 2 something is missing, 130 stopped by a signal. */
export async function runDemo(args: readonly string[]): Promise<number> {
  // The reader of our output may go away; cleaning up goes on.
  process.stdout.on('error', () => undefined)
  const terminal = createTerminal(process.stdout, process.env)
  if (args.length > 0) {
    terminal.line('demo takes no arguments')
    return EXIT.missing
  }
  const host = localHost()
  const missing = await findMissing(host)
  if (missing.length > 0) {
    terminal.line('The demo cannot run here, and has changed nothing. Missing:')
    for (const each of missing) terminal.line(`  ${each}`)
    return EXIT.missing
  }
  const demo: Demo = { host, terminal, signal: stopSignal(terminal), columns: [] }
  const failure = await attempt(() => show(demo))
  if (failure) await tellFailure(demo, failure)
  const problems = await cleanUp(demo, failure !== undefined)
  for (const problem of problems) terminal.line(terminal.paint('red', `left behind: ${problem}`))
  if (problems.length > 0) return EXIT.failed
  if (demo.signal.aborted) {
    terminal.line('Stopped. Nothing is left behind.')
    return EXIT.stopped
  }
  if (failure) {
    terminal.line('The demo failed. Nothing is left behind.')
    return EXIT.failed
  }
  tellTable(demo)
  return EXIT.ok
}

function stopSignal(terminal: Terminal): AbortSignal {
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      terminal.line(stop.signal.aborted ? 'Still cleaning up.' : `${signal}: cleaning up when the step is done.`)
      stop.abort()
    })
  }
  return stop.signal
}

async function attempt(work: () => Promise<void>): Promise<Error | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}

async function show(demo: Demo): Promise<void> {
  const { host, terminal, signal } = demo
  await sweepEarlier(demo)
  signal.throwIfAborted()
  demo.work = await createRun(host)
  const { work } = demo
  terminal.line(`Work folder  ${work}`)
  terminal.pending('starting the driver')
  const started = performance.now()
  demo.driver = await startDriver(host, work)
  const { client, pid } = demo.driver
  const info = await client.call<{ name: string; vendor_version: string }>('Identity', 'GetPluginInfo')
  terminal.line(
    `Driver       ${info.name} ${info.vendor_version}, process ${pid}, node ${NODE_ID}, ready in ${formatDuration(performance.now() - started)}`,
  )
  terminal.line(`Endpoint     ${endpointOf(work)}`)
  signal.throwIfAborted()
  const site = { host, client, work, signal, growsExt4: await hasCapability(host, CAP_SYS_RESOURCE) }
  for (const kind of KINDS) {
    terminal.line()
    terminal.line(terminal.paint('bold', kind === 'block' ? 'raw block volume' : `${kind} volume`))
    const steps = createSteps(terminal, signal)
    demo.columns.push({ name: kind, results: steps.results })
    demo.volume = new DemoVolume(site, kind)
    await demo.volume.live(steps)
    delete demo.volume
  }
  terminal.line()
}

/** What a demo left that was killed. One that cannot be cleared is told and left for the next time. */
async function sweepEarlier({ host, terminal }: Demo): Promise<void> {
  for (const folder of await listDeadRuns(host)) {
    terminal.line(`An earlier demo was killed; clearing ${folder}`)
    const problem = await attempt(async () => {
      for (const each of await clearFolder(host, folder)) terminal.line(`  ${each}`)
      terminal.line('  removed its files')
    })
    if (problem) terminal.line(terminal.paint('yellow', `  not cleared: ${problem.message}`))
  }
}

async function tellFailure({ terminal, driver, signal, columns }: Demo, error: Error): Promise<void> {
  terminal.line()
  if (signal.aborted) return
  const step = columns.flatMap(({ results }) => results).find(({ verdict }) => verdict === 'failed')
  const { name, details } = answerOf(error) ?? { name: undefined, details: error.message }
  const parts = [step?.name, name, details].filter(part => part !== undefined)
  terminal.line(terminal.paint('red', `Failed: ${parts.join(': ')}`))
  if (!driver) return
  const how = driver.ended()
  if (how !== undefined) terminal.line(`The driver ended: ${how}`)
  terminal.line('Last lines of the driver’s log:')
  for (const line of await driver.logTail()) terminal.line(`  ${line}`)
}

/** By RPC while there is a driver, then by hand. Answers what is still there. */
async function cleanUp(demo: Demo, failed: boolean): Promise<string[]> {
  const { host, terminal, work, driver, volume } = demo
  if (work === undefined) return []
  if (driver && volume?.exists === true && driver.ended() === undefined) {
    terminal.line('Taking the volume down')
    // The stop signal has done its work; this must run to its end.
    const failure = await attempt(() => volume.tearDown(createSteps(terminal, new AbortController().signal)))
    if (failure) terminal.line(`  by hand from here: ${failure.message}`)
  }
  await driver?.stop()
  const left = describeLeftovers(await findLeftovers(host, work))
  const failure = await attempt(async () => {
    for (const each of await clearFolder(host, work)) terminal.line(`  ${each}`)
    await removeParent(host)
  })
  if (failure) return [failure.message]
  // On the way down nothing may be left for us: the driver forgot it.
  return failed || demo.signal.aborted ? [] : left.map(each => `by the driver, and removed by hand: ${each}`)
}

async function removeParent(host: Host): Promise<void> {
  try {
    await host.files.removeDirectory(PARENT)
  } catch (error) {
    if (!isCode(error, 'ENOTEMPTY')) throw error // another demo is at work there
  }
}

function tellTable({ terminal, columns }: Demo): void {
  const [head = '', ...rows] = layoutResults(columns)
  terminal.line(terminal.paint('bold', head))
  for (const row of rows) terminal.line(row)
  const results = columns.flatMap(each => each.results)
  if (results.some(({ verdict }) => verdict === 'not here'))
    terminal.line('--: the kernel of this machine refuses it, and the driver says so: see the step above')
  terminal.line()
  terminal.line(
    terminal.paint(
      'green',
      `Demo passed: ${columns.length} volumes, ${results.length} steps in ${formatDuration(results.reduce((sum, { ms }) => sum + ms, 0))}. No mount, loop device or file is left behind.`,
    ),
  )
}
