// Starts the driver's processes for a csi-sanity run, and ends them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isReady } from './client.ts'
import { type Combination, driverConfig, NODE_ID } from './combination.ts'

const ROOT = join(import.meta.dirname, '..', '..')
/** In an emulated guest that does other work at the same time, a start takes half a minute. */
const READY_MS = 240_000
const STOP_MS = 120_000
const LOG_TAIL = 20

export interface DriverProcess {
  /** all-in-one, controller or node: the name of its main. */
  role: string
  socket: string
  log: string
  child: ChildProcess
  /** "exit 0", "exit 1", "exit SIGKILL": how it ended, once it has. */
  ended: Promise<string>
}

/** Starts a program that is the driver, or runs it, and notes how it ends; it answers on the socket once it is ready. */
export const launch = (
  directory: string,
  { role, socket, command }: { role: string; socket: string; command: readonly string[] },
): DriverProcess => {
  const log = join(directory, `${role}.log`)
  const descriptor = openSync(log, 'w')
  // Of the environment only what programs need to run: CSI_ENDPOINT or NODE_ID from outside must not decide.
  const { PATH = '', HOME = '/root', TMPDIR } = process.env
  const [file = '', ...args] = command
  const child = spawn(file, args, {
    cwd: directory,
    // In its own process group: Ctrl-C reaches the runner alone, which then ends everything in order.
    detached: true,
    env: { PATH: `${PATH}:/usr/sbin:/sbin`, HOME, ...(TMPDIR === undefined ? {} : { TMPDIR }) },
    stdio: ['ignore', descriptor, descriptor],
  })
  closeSync(descriptor)
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(String(error)))
    child.once('exit', (code, signal) => resolve(`exit ${signal ?? String(code)}`))
  })
  return { role, socket, log, child, ended }
}

/** Makes the bundle that the images hold: what is shipped is what must be sane. */
const bundle = (directory: string): string => {
  const out = join(directory, 'bundle')
  execFileSync(process.execPath, [join(ROOT, 'scripts/bundle.ts'), out], { stdio: ['ignore', 'ignore', 'inherit'] })
  return join(out, 'dist/bin')
}

const start = (directory: string, mains: string, role: string): DriverProcess => {
  const socket = join(directory, `${role}.sock`)
  const config = join(directory, `${role}.json`)
  mkdirSync(join(directory, 'state', role), { recursive: true })
  writeFileSync(config, `${JSON.stringify(driverConfig(directory, socket, role), null, 2)}\n`)
  const flags = ['--endpoint', `unix://${socket}`, '--node-id', NODE_ID, '--config', config]
  return launch(directory, { role, socket, command: [process.execPath, join(mains, `${role}.js`), ...flags] })
}

const hasEnded = ({ child }: DriverProcess): boolean =>
  child.pid === undefined || child.exitCode !== null || child.signalCode !== null

/** Starts one process (all-in-one) or two (controller, node), each on its own socket below the directory. */
export const startDriver = (directory: string, mode: Combination['mode']): DriverProcess[] => {
  const mains = bundle(directory)
  return (mode === 'all-in-one' ? ['all-in-one'] : ['controller', 'node']).map(role => start(directory, mains, role))
}

export const logTail = (driver: DriverProcess): string =>
  existsSync(driver.log) ? readFileSync(driver.log, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL).join('\n') : ''

/** Waits until Probe answers ready; throws with the end of the log when it does not in time or the process ends. */
export const waitReady = async (driver: DriverProcess): Promise<void> => {
  const limit = Date.now() + READY_MS
  while (!hasEnded(driver) && Date.now() < limit) {
    if (existsSync(driver.socket) && (await isReady(driver.socket))) return
    await sleep(100)
  }
  const how = hasEnded(driver) ? `ended early (${await driver.ended})` : `was not ready after ${READY_MS / 1000} s`
  throw new Error(`the driver (${driver.role}) ${how}\n${logTail(driver)}`)
}

/** Sends SIGTERM and says how the process ended; after 10 s it is killed and the answer is "still running". */
export const stopDriver = async (driver: DriverProcess): Promise<string> => {
  if (hasEnded(driver)) return `ended before SIGTERM (${await driver.ended})`
  driver.child.kill('SIGTERM')
  const timer = new AbortController()
  const late = sleep(STOP_MS, 'late', { signal: timer.signal }).catch(() => 'late')
  const how = await Promise.race([driver.ended, late])
  timer.abort()
  if (how !== 'late') return how
  driver.child.kill('SIGKILL')
  await driver.ended
  return `still running ${STOP_MS / 1000} s after SIGTERM`
}
