// A machine that is reached with ssh: the same commands and files as on this one, and nothing of ours installed there.
import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { Cancelled, CommandFailed, Unavailable } from '../volume/errors.ts'
import { type Op, SILENT, steady } from '../volume/op.ts'
import { Secret } from '../volume/secret.ts'
import { cancelled, excerpt, hangs, tooLate } from './complaints.ts'
import type { Command, Held, Host, Output } from './host.ts'
import { localHost } from './local.ts'
import {
  ANY_CODE,
  complaintOf,
  neverConnected,
  SSH_FAILED,
  type SshClient,
  type SshSettings,
  sshClient,
} from './ssh-client.ts'
import { sshFiles } from './ssh-files.ts'
import {
  collectLine,
  HANGS,
  heldLine,
  killableLine,
  killLine,
  lastingLine,
  NO_RESULT,
  readResult,
  scriptLine,
} from './ssh-lines.ts'

export interface SshHost extends Host {
  /** Ends the shared connection, which otherwise ends a minute after its last use. */
  close(): Promise<void>
}

/** How long a command that must finish is looked for, after the connection to it was lost. */
const RECONNECT_MS = 60_000
const KILL_MS = 10_000
const FILES_MS = 10_000
/** Whose scripts run over there. */
const SHELL = 'sh'

/** Where a machine is reached, what it is called, and which of its commands did not even end when killed. */
interface Reach {
  readonly settings: SshSettings
  readonly client: SshClient
  readonly name: string
  /** What was asked, and the token of what hangs. */
  readonly stuck: Map<string, string>
}

/** Throws InvalidRequest for settings that cannot be used. Connects with the first call. */
export function sshHost(settings: SshSettings): SshHost {
  const client = sshClient(settings, localHost())
  const reach: Reach = { settings, client, name: settings.address, stuck: new Map() }
  const quiet: Op = steady({ log: SILENT })
  return {
    name: reach.name,
    files: sshFiles(
      (script, args, { stdin, encoding, isQuestion = false } = {}) =>
        run(
          reach,
          {
            ...runScript(script, args),
            okCodes: ANY_CODE,
            timeoutMs: FILES_MS,
            onAbort: 'kill',
            ...(stdin !== undefined && { stdin }),
            ...(encoding !== undefined && { encoding }),
          },
          quiet,
          isQuestion ? token => scriptLine(script, args, token) : undefined,
        ),
      reach.name,
    ),
    run: (command, op) => run(reach, command, op),
    hold: (command, op) => hold(reach, command, op),
    close: () => client.close(quiet),
  }
}

/**
 * `lineOf`: for a shell that stays over there, where a whole program would be more than it takes. Only for questions: what
 * such a line changes could still change after its caller has given up, or we have ended.
 */
async function run(reach: Reach, command: Command, op: Op, lineOf?: (token: string) => string): Promise<Output> {
  const asked = describe(command, reach.name)
  if (command.onAbort === 'kill' && op.signal.aborted) throw cancelled(asked)
  await requireConnected(reach, asked, command.onAbort === 'kill' ? op : steady(op))
  await requireNotStuck(reach, asked)
  const words = wordsOf(command)
  const token = randomBytes(16).toString('hex')
  const started = performance.now()
  const output =
    command.onAbort === 'kill'
      ? await runKillable(reach, { command, words, token, asked, line: lineOf?.(token) }, op)
      : await runLasting(reach, { command, words, token, asked }, op)
  op.log.debug({ command: asked, code: output.code, ms: Math.round(performance.now() - started) }, 'command')
  return judge(command, asked, output)
}

/** Before the command's own time begins. Nothing ran over there when this throws. */
async function requireConnected(reach: Reach, asked: string, op: Op): Promise<void> {
  const complaint = await reach.client.connect(op)
  if (complaint) refuse(reach, asked, complaint)
  if (op.signal.aborted) throw cancelled(asked)
}

interface Asked {
  readonly command: Command
  readonly words: readonly string[]
  /** Names this very call, over there too. */
  readonly token: string
  readonly asked: string
  /** That says the same as the words, to a shell that stays over there. */
  readonly line?: string | undefined
}

/**
 * Killing the client would leave the command to itself; and what it prints goes by way of the shared connection, which
 * keeps our pipes open until it ends. So it is killed over there first.
 */
async function runKillable(reach: Reach, { command, words, token, asked, line }: Asked, op: Op): Promise<Output> {
  const { stdin, encoding, timeoutMs } = command
  const over = AbortSignal.any([op.signal, AbortSignal.timeout(timeoutMs)])
  const giveUp = new AbortController()
  let killing: Promise<boolean> | undefined
  const kill = (): void => {
    killing ??= isStillThere(reach, token)
    void killing.finally(() => giveUp.abort())
  }
  over.addEventListener('abort', kill)
  const call = { timeoutMs: timeoutMs + KILL_MS, onAbort: 'kill' as const, ...(encoding && { encoding }) }
  const withInput = { ...call, ...(stdin !== undefined && { stdin }) }
  let output: Output | undefined
  try {
    const alone = killableLine(words, token, timeoutMs)
    output = await reach.client.runInShell(line ?? alone, alone, withInput, {
      ...op,
      signal: giveUp.signal,
    })
  } catch (error) {
    kill()
    const isEndless = error instanceof CommandFailed
    if (isEndless)
      throw new CommandFailed({ asked, found: 'it prints without end', next: 'see the log', code: undefined })
    if (!(error instanceof Unavailable || error instanceof Cancelled)) throw error
  } finally {
    over.removeEventListener('abort', kill)
  }
  const result = output && !killing ? readResult(output, token, asked) : undefined
  if (result) return result
  if (output && !killing) refuse(reach, asked, output)
  return await tellEnd(reach, { command, token, asked }, killing, op)
}

/** What the caller of a call that was given up is told. */
async function tellEnd(
  reach: Reach,
  { command: { timeoutMs }, token, asked }: Pick<Asked, 'token' | 'asked'> & { command: Held },
  isStuck: Promise<boolean> | undefined,
  op: Op,
): Promise<never> {
  if (await isStuck) {
    reach.stuck.set(asked, token)
    throw hangs(asked, 'the process does not even end when killed')
  }
  if (op.signal.aborted) throw cancelled(asked)
  throw tooLate(asked, timeoutMs)
}

/** It runs in a session of its own, and leaves its result in files: whoever goes, it comes to its end. */
async function runLasting(reach: Reach, { command, words, token, asked }: Asked, op: Op): Promise<Output> {
  const { stdin, encoding, timeoutMs } = command
  const call = { timeoutMs, onAbort: 'finish' as const, ...(encoding && { encoding }) }
  let output = await reach.client.run(lastingLine(words, token), { ...call, ...(stdin !== undefined && { stdin }) }, op)
  if (neverConnected(output)) refuse(reach, asked, output)
  let lostAt = performance.now()
  for (;;) {
    const result = readResult(output, token, asked)
    if (result) return result
    if (output.code === NO_RESULT) {
      const found = 'the connection was lost, and there is no result: it never began, or it was killed'
      throw new Unavailable({ asked, found, next: 'call again' })
    }
    if (performance.now() - lostAt > RECONNECT_MS) refuse(reach, asked, output)
    op.log.warn(
      { command: asked, cause: complaintOf(output, reach.settings).found },
      'connection lost, command goes on',
    )
    await pause(1000)
    const before = performance.now()
    output = await reach.client.run(collectLine(token), call, op)
    // It was connected for a while: the command is slow, and the machine is there.
    if (performance.now() - before > RECONNECT_MS) lostAt = performance.now()
  }
}

/** Kills what this call left over there. True when it does not even end then; unknown counts as no. */
async function isStillThere({ client }: Reach, token: string): Promise<boolean> {
  try {
    const call = { timeoutMs: KILL_MS, onAbort: 'kill' as const, stdin: `${token}\n` }
    return (await client.run(killLine(), call, steady({ log: SILENT }))).code === HANGS
  } catch {
    return false
  }
}

/** One process that hangs is enough: another would hang beside it. */
async function requireNotStuck(reach: Reach, asked: string): Promise<void> {
  const token = reach.stuck.get(asked)
  if (token === undefined) return
  if (await isStillThere(reach, token)) throw hangs(asked, 'an earlier process still hangs in the kernel')
  reach.stuck.delete(asked)
}

/** The far program ends with its input, and that ends with ours: also when we are killed. */
async function hold(reach: Reach, command: Held, op: Op): Promise<() => Promise<void>> {
  const asked = describe(command, reach.name)
  await requireNotStuck(reach, asked)
  // What a login shell prints would be taken for the echo; this fails then, and when there is no connection.
  await run(reach, { ...runScript(':', []), timeoutMs: FILES_MS, onAbort: 'kill' }, op)
  const token = randomBytes(16).toString('hex')
  try {
    const letGo = await reach.client.hold(heldLine(wordsOf(command), token), command, op)
    return async () => {
      try {
        await letGo()
      } catch (error) {
        throw endedEarly(asked, error)
      }
    }
  } catch (error) {
    if (error instanceof Unavailable || error instanceof Cancelled)
      return await tellEnd(reach, { command, token, asked }, isStillThere(reach, token), op)
    if (!(error instanceof CommandFailed)) throw error
    if (error.code === SSH_FAILED) refuse(reach, asked, { code: SSH_FAILED, stdout: '', stderr: '' })
    const { code } = error
    throw new CommandFailed({ asked, found: `it ended with ${code}`, next: 'see the log', code }, { cause: error })
  }
}

function endedEarly(asked: string, cause: unknown): Unavailable {
  const found = 'it ended, or the connection to it, before it was let go'
  return new Unavailable(
    { asked, found, next: 'call again: what was done meanwhile was not protected by it' },
    { cause },
  )
}

function runScript(script: string, args: readonly string[]): Pick<Command, 'file' | 'args'> {
  return { file: SHELL, args: ['-c', script, SHELL, ...args] }
}

function refuse({ settings }: Reach, asked: string, output: Output): never {
  throw new Unavailable({ asked, ...complaintOf(output, settings) })
}

function judge(command: Command, asked: string, output: Output): Output {
  const { code, stdout, stderr } = output
  if ((command.okCodes ?? [0]).includes(code)) return output
  if (code === 127 && /^(?:env|timeout): .*: No such file or directory\s*$/m.test(stderr)) {
    throw new Unavailable({ asked, found: `${command.file} is not installed`, next: 'install it on that machine' })
  }
  // Some tools repeat their input when they complain about it.
  const found =
    command.stdin instanceof Secret
      ? 'what it printed is not shown, for it was given a secret'
      : excerpt(stderr || stdout)
  throw new CommandFailed({ asked, found: `exit code ${code}: ${found}`, next: 'see the log', code })
}

function wordsOf({ file, args }: Pick<Command, 'file' | 'args'>): string[] {
  return [
    file,
    ...args.map(arg => {
      // Everybody on both machines can read arguments.
      if (arg instanceof Secret) throw new TypeError(`${file}: a secret travels on standard input only`)
      return arg
    }),
  ]
}

function describe({ file, args }: Pick<Command, 'file' | 'args'>, name: string): string {
  return `${[file, ...args.map(String)].join(' ')} on ${name}`
}
