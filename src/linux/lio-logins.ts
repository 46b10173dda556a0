// Logins that were broken off: LIO keeps one for ever whose connection stays open without a word, and who removes its ACL waits.
import { setTimeout as pause } from 'node:timers/promises'
import type { Host } from '../host/host.ts'
import { type Op, steady } from '../volume/op.ts'

/** Living sessions ping each 5 s. One that is closed by mistake is idle, and comes back by itself without an error. */
const SILENCE_MS = 6_000
const LOOK_MS = 1_000
const TOOL_MS = 10_000

/** Does the work, and closes what has fallen silent at the portals for as long as that takes. */
export async function closingSilentLogins<T>(
  host: Host,
  portals: readonly string[],
  work: () => Promise<T>,
  op: Op,
): Promise<T> {
  const ended = new AbortController()
  const closing = closeUntil(ended.signal, host, portals, op)
  try {
    return await work()
  } finally {
    ended.abort()
    await closing
  }
}

async function closeUntil(ended: AbortSignal, host: Host, portals: readonly string[], op: Op): Promise<void> {
  const ports = [...new Set(portals.map(portal => portal.replace(/^.*:/, '')))]
  const whatever = steady(op)
  try {
    while (await isStill(ended)) for (const port of ports) await closeSilentConnections(host, port, whatever)
  } catch (error) {
    op.log.warn({ cause: String(error) }, 'could not look for logins that were broken off')
  }
}

/** Answers after a pause, at once when it has ended. */
async function isStill(ended: AbortSignal): Promise<boolean> {
  await pause(LOOK_MS, undefined, { signal: ended }).catch(() => undefined)
  return !ended.aborted
}

/** Those from which nothing has come for longer than a login, or the pause between two pings, may take. */
export async function closeSilentConnections(host: Host, port: string, op: Op): Promise<void> {
  const ss = async (...args: string[]) =>
    await host.run({ file: 'ss', args: ['--tcp', '--numeric', ...args], timeoutMs: TOOL_MS, onAbort: 'kill' }, op)
  const { stdout } = await ss('--info', '--oneline', '--no-header', 'state', 'established', `sport = :${port}`)
  for (const line of stdout.split('\n')) {
    const [, peer, silence] = /^\s*\d+\s+\d+\s+\S+\s+\S+:(\d+)\s.*\blastrcv:(\d+)/.exec(line) ?? []
    if (peer === undefined || Number(silence) < SILENCE_MS) continue
    await ss('--kill', 'state', 'established', `sport = :${port} and dport = :${peer}`)
    op.log.warn({ connection: line.trim().split(/\s+/).slice(2, 4), silence }, 'closed a silent connection to a portal')
  }
}
