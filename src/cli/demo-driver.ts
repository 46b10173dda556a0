// The driver as the demo runs it: a process of its own on a socket in the work folder.
import { spawn } from 'node:child_process'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Host } from '../host/host.ts'
import { type CsiClient, connect } from '../rpc/client.ts'
import { endpointOf } from './demo-leftovers.ts'

const MAIN = fileURLToPath(new URL('../bin/all-in-one.ts', import.meta.url))
const READY_MS = 20_000
const STOP_MS = 10_000
const LOG_LINES = 12

export const NODE_ID = 'demo-node'

export interface DemoDriver {
  readonly pid: number
  readonly client: CsiClient
  /** "exit code 0", "SIGKILL"; undefined while it runs. */
  readonly ended: () => string | undefined
  /** The last lines of its log. */
  logTail(): Promise<string[]>
  /** SIGTERM, and SIGKILL if that takes too long. */
  stop(): Promise<void>
}

/** Starts it and waits until it answers; throws when it does not. */
export async function startDriver(host: Host, work: string): Promise<DemoDriver> {
  const log = join(work, 'driver.log')
  const file = await open(log, 'wx', 0o600)
  const child = spawn(process.execPath, [MAIN, ...flagsOf(work)], {
    // Where leftovers are looked for by the next demo: children inherit it.
    cwd: work,
    // A session of its own: Ctrl-C stops the demo, which needs the driver to clean up.
    detached: true,
    stdio: ['ignore', file.fd, file.fd],
    // Nothing from outside decides what is served: no CSI_ENDPOINT, no NODE_ID.
    env: { PATH: process.env['PATH'] },
  })
  await file.close()
  let how: string | undefined
  const over = new Promise<void>(resolve => {
    child.once('error', error => {
      how = error.message
      resolve()
    })
    child.once('exit', (code, signal) => {
      how = signal ?? `exit code ${code}`
      resolve()
    })
  })
  const client = connect(endpointOf(work))
  const driver: DemoDriver = {
    pid: child.pid ?? 0,
    client,
    ended: () => how,
    logTail: async () => ((await host.files.read(log)) ?? '').trimEnd().split('\n').slice(-LOG_LINES),
    async stop() {
      client.close()
      if (how === undefined) child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await over
      clearTimeout(late)
    },
  }
  try {
    await waitReady(host, work, driver)
    return driver
  } catch (error) {
    await driver.stop()
    const tail = await driver.logTail()
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${tail.join('\n')}`, { cause: error })
  }
}

function flagsOf(work: string): string[] {
  const flags = {
    endpoint: endpointOf(work),
    'node-id': NODE_ID,
    'pool-dir': join(work, 'pool'),
    'state-dir': join(work, 'state'),
  }
  return Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value])
}

async function waitReady(host: Host, work: string, driver: DemoDriver): Promise<void> {
  const deadline = performance.now() + READY_MS
  // A client that finds no socket waits a second before its next try: look for the socket first.
  while (!(await host.files.facts(join(work, 'csi.sock')))) {
    const how = driver.ended()
    if (how !== undefined) throw new Error(`the driver ended: ${how}`)
    if (performance.now() > deadline) throw new Error('the driver did not start in time')
    await sleep(20)
  }
  await driver.client.call('Identity', 'Probe', {}, READY_MS)
}
