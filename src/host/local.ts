// The machine that this process runs on; the only file that starts processes, and the only one that reveals secrets.
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { execa } from 'execa'
import { CommandFailed, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { Secret } from '../volume/secret.ts'
import { cancelled, excerpt, hangs, tooLate } from './complaints.ts'
import type { Command, Held, Host, Output } from './host.ts'
import { isolateFiles } from './isolated-files.ts'
import { localFiles } from './local-files.ts'
import { keepEnd, MAX_OUTPUT } from './outputs.ts'

/** Programs come from the system's own folders, whatever the environment of the driver says. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
const ENVIRONMENT = { env: { PATH, LC_ALL: 'C', LANG: 'C' }, extendEnv: false }
/** After SIGTERM; a child in uninterruptible sleep survives SIGKILL too and is left behind after as long again. */
const KILL_AFTER_MS = 1000

/** Roots are places whose files can die alone, such as the folders of pools. */
export function localHost(roots: readonly string[] = []): Host {
  const stuck: Stuck = new Set()
  return {
    name: 'local',
    files: isolateFiles(localFiles, roots),
    run: (command, op) => runLocally(command, stuck, op),
    hold: (command, op) => holdLocally(command, stuck, op),
  }
}

/** Commands whose child did not even end when killed: it sleeps in the kernel until its device answers or goes. */
type Stuck = Set<string>

async function runLocally(command: Command, stuck: Stuck, op: Op): Promise<Output> {
  const asked = describe(command)
  if (command.onAbort === 'kill' && op.signal.aborted) throw cancelled(asked)
  // One child that hangs is enough: another would hang beside it.
  if (stuck.has(asked)) throw hangs(asked, 'an earlier process still hangs in the kernel')
  const started = performance.now()
  const slow = setTimeout(() => {
    op.log.warn(
      { command: asked, afterMs: command.timeoutMs },
      'command is slow, and runs on because it must not be stopped',
    )
  }, command.timeoutMs)
  if (command.onAbort === 'kill') clearTimeout(slow)
  try {
    const output = await (command.onAbort === 'kill'
      ? orAbandon(command, asked, start(command, op), stuck, op)
      : start(command, op))
    op.log.debug({ command: asked, code: output.exitCode, ms: Math.round(performance.now() - started) }, 'command')
    return meaningOf(command, asked, output)
  } finally {
    clearTimeout(slow)
  }
}

/** The part of execa's result that we read; all failures arrive as data. */
interface Outcome {
  readonly exitCode?: number | undefined
  readonly signal?: string | undefined
  readonly stdout: string
  readonly stderr: string
  readonly timedOut: boolean
  readonly isCanceled: boolean
  readonly isMaxBuffer: boolean
  readonly code?: string | undefined
}

async function start(command: Command, op: Op): Promise<Outcome> {
  const args = command.args.map(arg => (arg instanceof Secret ? arg.reveal() : arg))
  const input = command.stdin instanceof Secret ? command.stdin.reveal() : command.stdin
  const encoding = command.encoding ?? 'utf8'
  const common = {
    ...ENVIRONMENT,
    reject: false,
    stripFinalNewline: false,
    ...(input === undefined ? { stdin: 'ignore' as const } : { input }),
  } as const
  if (command.onAbort === 'kill') {
    const limits = { timeout: command.timeoutMs, cancelSignal: op.signal, forceKillAfterDelay: KILL_AFTER_MS }
    return await execa(command.file, args, { ...common, ...limits, encoding, maxBuffer: MAX_OUTPUT })
  }
  // A session of its own: neither Ctrl-C on our terminal nor our own end reaches it. Nor does its own talkativeness end
  // it: execa kills a child whose output exceeds its buffer, so the end of the output is kept here.
  const child = execa(command.file, args, { ...common, cleanup: false, detached: true, buffer: false })
  const [stdout, stderr] = [keepEnd(child.stdout, encoding), keepEnd(child.stderr, encoding)]
  const result = await child
  return { ...result, stdout: stdout(), stderr: stderr() }
}

/** A child in uninterruptible sleep cannot be killed: its caller gets an answer all the same, and it is counted. */
async function orAbandon(
  command: Command,
  asked: string,
  running: Promise<Outcome>,
  stuck: Stuck,
  op: Op,
): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined
  const hanging = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => {
        reject(abandon(asked, running, stuck, op))
      },
      command.timeoutMs + 2 * KILL_AFTER_MS,
    )
  })
  try {
    return await Promise.race([running, hanging])
  } finally {
    clearTimeout(timer)
  }
}

/** Counts it until it ends, and answers what its caller is told. */
function abandon(asked: string, running: Promise<unknown>, stuck: Stuck, op: Op): Unavailable {
  stuck.add(asked)
  op.log.error({ command: asked, hanging: stuck.size }, 'a process does not even end when killed')
  void running.finally(() => {
    stuck.delete(asked)
    op.log.info({ command: asked, hanging: stuck.size }, 'a process that hung has ended')
  })
  return hangs(asked, 'the process does not even end when killed')
}

/** The program echoes a line as soon as it runs, and ends with our end of its pipe: also when we are killed. */
async function holdLocally(command: Held, stuck: Stuck, op: Op): Promise<() => Promise<void>> {
  const asked = describe(command)
  if (op.signal.aborted) throw cancelled(asked)
  // As of commands: the file that it hangs on would take another process with each call.
  if (stuck.has(asked)) throw hangs(asked, 'an earlier process still hangs in the kernel')
  const holder = startHolder(command)
  const echo = new Promise<'echo'>(resolve => holder.stdout.once('data', () => resolve('echo')))
  const first = await unlessGivenUp(Promise.race([echo, holder]), command.timeoutMs, op)
  if (first === 'late' || first === 'gone') {
    await endHolder(holder, asked, stuck, op)
    throw first === 'late' ? tooLate(asked, command.timeoutMs) : cancelled(asked)
  }
  if (first !== 'echo') {
    const found = `it ended with ${first.exitCode ?? first.code ?? first.signal}`
    throw new CommandFailed({ asked, found, next: 'see the log', code: first.exitCode })
  }
  op.log.debug({ command: asked }, 'held')
  return () => letGo(holder, asked)
}

type Holder = ReturnType<typeof startHolder>

function startHolder(command: Held) {
  const holder = execa(command.file, command.args.map(String), {
    ...ENVIRONMENT,
    reject: false,
    buffer: false,
    // A session of its own: Ctrl-C on our terminal must not end it before the call that needs it.
    detached: true,
    cleanup: false,
  })
  holder.stdin.on('error', () => undefined) // it ended without reading: its exit code tells why
  holder.stdin.write('\n')
  return holder
}

async function unlessGivenUp<T>(answer: Promise<T>, timeoutMs: number, { signal }: Op): Promise<T | 'late' | 'gone'> {
  const { promise, resolve } = Promise.withResolvers<'late' | 'gone'>()
  const leave = (): void => resolve('gone')
  const timer = setTimeout(() => resolve('late'), timeoutMs)
  signal.addEventListener('abort', leave)
  try {
    return await Promise.race([answer, promise])
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
  }
}

/** A program that is talked to. */
export interface Conversation {
  say(text: string | Secret): void
  /** Ends its input. */
  end(): void
  readonly stdout: Readable
  readonly stderr: Readable
  /** Its exit code. The pipes may outlive it: ssh's shared connection has them too. */
  readonly ended: Promise<number | undefined>
  /** Whether our process waits for it before it ends. */
  hold(isHeld: boolean): void
}

/** Starts a program that is talked to for as long as it lives, and that ends with its input: also when we are killed. */
export function converse(file: string, args: readonly string[]): Conversation {
  const {
    nodeChildProcess: child,
    stdin,
    stdout,
    stderr,
  } = execa(file, args, {
    ...ENVIRONMENT,
    reject: false,
    buffer: false,
    detached: true,
    cleanup: false,
  })
  stdin.on('error', () => undefined) // its exit code tells why
  return {
    say: text => stdin.write(text instanceof Secret ? text.reveal() : text),
    end: () => stdin.end(),
    stdout,
    stderr,
    ended: new Promise(resolve => {
      child.once('exit', code => resolve(code ?? undefined))
      child.once('error', () => resolve(undefined))
    }),
    hold(isHeld) {
      const pipes = [stdin, stdout, stderr].filter(each => each instanceof Socket)
      for (const each of [child, ...pipes]) isHeld ? each.ref() : each.unref()
    },
  }
}

async function endHolder(holder: Holder, asked: string, stuck: Stuck, op: Op): Promise<void> {
  // Should it begin only now, it ends with its input.
  holder.stdin.end()
  holder.kill('SIGKILL')
  const end = endOf(holder)
  if ((await Promise.race([end, pause(KILL_AFTER_MS, 'hangs')])) === 'hangs') throw abandon(asked, end, stuck, op)
}

/** Of itself: its pipes may outlive it, for ssh's shared connection has them too. */
async function endOf(holder: Holder): Promise<void> {
  if (!hasEnded(holder)) await new Promise(resolve => holder.nodeChildProcess.once('exit', resolve))
}

function hasEnded({ nodeChildProcess: { exitCode, signalCode } }: Holder): boolean {
  return exitCode !== null || signalCode !== null
}

/** An end that we have not been told of yet shows in how it ended: only the end of its input lets it end well. */
async function letGo(holder: Holder, asked: string): Promise<void> {
  const hadEnded = hasEnded(holder)
  holder.stdin.end()
  const { exitCode, signal } = await holder
  if (!hadEnded && exitCode === 0) return
  throw new Unavailable({
    asked,
    found: `it ended with ${exitCode ?? signal}, and not because it was let go`,
    next: 'call again: what was done meanwhile was not protected by it',
  })
}

function meaningOf(command: Command, asked: string, outcome: Outcome): Output {
  const { exitCode, stdout, stderr } = outcome
  if (outcome.isCanceled) throw cancelled(asked)
  if (outcome.timedOut) throw tooLate(asked, command.timeoutMs)
  if (outcome.code === 'ENOENT' && exitCode === undefined) {
    throw new Unavailable({
      asked,
      found: `${command.file} is not installed`,
      next: 'install it on this host or image',
    })
  }
  if (exitCode === undefined || outcome.isMaxBuffer) {
    throw new CommandFailed({
      asked,
      found: outcome.isMaxBuffer
        ? 'it prints without end'
        : `ended by ${outcome.signal ?? outcome.code ?? 'an unknown cause'}`,
      next: 'see the log',
      code: undefined,
    })
  }
  if (!(command.okCodes ?? [0]).includes(exitCode)) {
    throw new CommandFailed({
      asked,
      found: `exit code ${exitCode}: ${excerpt(hide(command, stderr || stdout))}`,
      next: 'see the log',
      code: exitCode,
    })
  }
  return { code: exitCode, stdout, stderr }
}

/** The command as it may appear in logs and errors: secrets as ***. */
function describe(command: Pick<Command, 'file' | 'args'>): string {
  return [command.file, ...command.args.map(arg => String(arg))].join(' ')
}

/** Some tools repeat their input when they complain about it. */
function hide(command: Command, text: string): string {
  const secrets = [...command.args, command.stdin].filter(each => each instanceof Secret).map(each => each.reveal())
  return secrets.filter(each => each !== '').reduce((rest, each) => rest.replaceAll(each, '***'), text)
}
