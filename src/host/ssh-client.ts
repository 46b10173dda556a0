// The ssh(1) of OpenSSH: how it is called, and what its complaints mean.
import { randomBytes } from 'node:crypto'
import { type Finding, InvalidRequest } from '../volume/errors.ts'
import { type Op, steady } from '../volume/op.ts'
import { orAborted } from '../volume/within.ts'
import type { Command, Held, Host, Output } from './host.ts'
import { converse } from './local.ts'
import { localFiles } from './local-files.ts'
import { keepShells, shellLine } from './ssh-shells.ts'

export interface SshSettings {
  /** Name or address of the machine. */
  readonly address: string
  readonly port: number
  /** Whose login shell is a POSIX shell that prints nothing of its own. */
  readonly user: string
  /** The private key. */
  readonly identityFile: string
  /** The only host keys that are accepted: ssh-keyscan(1) makes such a file, and a person compares it. */
  readonly knownHostsFile: string
  /** For the socket of the shared connection; ours alone. */
  readonly controlDir: string
}

/** What goes to the client besides the line that the far shell is to run. */
export interface ClientCall extends Pick<Command, 'timeoutMs' | 'onAbort' | 'stdin' | 'encoding'> {}

const SSH = 'ssh'
/** Exit code of the client when there is no connection, or no more. */
export const SSH_FAILED = 255
export const ANY_CODE = Array.from({ length: 256 }, (_, code) => code)
/** For a connection, keys exchanged and all: that alone took two emulated machines 13 s. */
const CONNECT_SECONDS = 30
/** An idle shared connection stands for so long. */
const PERSIST_SECONDS = 60
/** So long after an answer no other connection is tried first: there is one, or the command itself will tell its loss. */
const FRESH_MS = (PERSIST_SECONDS * 1000) / 2
/** sockaddr_un has room for 107 bytes: the folder, `/`, 40 digits, and 17 that ssh adds while it makes the socket. */
const LONGEST_CONTROL_DIR = 48

export interface SshClient {
  /** Makes the shared connection unless it was used a moment ago: a command's own time must not go into that. Answers what ssh said when it could not. */
  connect(op: Op): Promise<Output | undefined>
  /** Runs a line in the login shell over there; any exit code is an answer. */
  run(line: string, call: ClientCall, op: Parameters<Host['run']>[1]): Promise<Output>
  /** The same in a shell that stays there, when one has time, and `alone` otherwise. No secrets may be in a line. */
  runInShell(line: string, alone: string, call: ClientCall, op: Parameters<Host['run']>[1]): Promise<Output>
  hold(line: string, call: Pick<Held, 'timeoutMs'>, op: Parameters<Host['hold']>[1]): ReturnType<Host['hold']>
  /** Ends the shells and the shared connection. */
  close(op: Parameters<Host['run']>[1]): Promise<void>
}

/** Throws InvalidRequest for settings that ssh would misread. */
export function sshClient(settings: SshSettings, local: Host): SshClient {
  requireUsable(settings)
  const options = optionsOf(settings)
  let made: Promise<void> | undefined
  const ready = async (): Promise<void> => {
    made ??= localFiles.makeDirectory(settings.controlDir)
    await made
  }
  let answeredAt = Number.NEGATIVE_INFINITY
  let connecting: Promise<Output> | undefined
  const told = (output: Output): Output => {
    answeredAt = output.code === SSH_FAILED ? Number.NEGATIVE_INFINITY : performance.now()
    return output
  }
  const run: SshClient['run'] = async (line, call, op) => {
    await ready()
    const args = [...options, settings.address, line]
    return told(await local.run({ file: SSH, args, okCodes: ANY_CODE, ...call }, op))
  }
  const shells = keepShells(
    () => converse(SSH, [...options, settings.address, shellLine()]),
    () => randomBytes(16).toString('hex'),
  )
  return {
    run,
    async runInShell(line, alone, call, op) {
      await ready()
      const output = await shells.run(line, call, op)
      return output ? told(output) : await run(alone, call, op)
    },
    async connect(op) {
      if (performance.now() - answeredAt < FRESH_MS) return undefined
      // For all who wait for it, whoever of them goes away.
      connecting ??= run('exit', { timeoutMs: 2 * CONNECT_SECONDS * 1000, onAbort: 'kill' }, steady(op)).finally(() => {
        connecting = undefined
      })
      const output = await orAborted(connecting, op.signal)
      return output?.code === SSH_FAILED ? output : undefined
    },
    async hold(line, { timeoutMs }, op) {
      await ready()
      return await local.hold({ file: SSH, args: [...options, settings.address, line], timeoutMs }, op)
    },
    async close(op) {
      shells.close()
      const args = [...options, '-O', 'exit', settings.address]
      await local.run({ file: SSH, args, okCodes: ANY_CODE, timeoutMs: 10_000, onAbort: 'kill' }, op)
    },
  }
}

/** What ssh would misread, each with its key. */
export function problemsOfSsh({ address, user, port, controlDir }: SshSettings): string[] {
  return [
    ...(/^[A-Za-z0-9_.:%-]+$/.test(address) && !address.startsWith('-')
      ? []
      : [`address "${address}" is no name or address`]),
    ...(/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(user) ? [] : [`user "${user}" is no user name`]),
    ...(Number.isInteger(port) && port >= 1 && port <= 65_535 ? [] : [`port ${port} is no port`]),
    ...(Buffer.byteLength(controlDir) <= LONGEST_CONTROL_DIR
      ? []
      : [`controlDir ${controlDir} has more than ${LONGEST_CONTROL_DIR} bytes`]),
  ]
}

function requireUsable(settings: SshSettings): void {
  const problems = problemsOfSsh(settings)
  if (problems.length === 0) return
  throw new InvalidRequest({
    asked: `reach ${settings.address} with ssh`,
    found: problems.join('; '),
    next: 'correct the settings',
  })
}

/** Nothing of the user's own configuration, keys or agent counts, and nobody is ever asked. */
function optionsOf({ port, user, identityFile, knownHostsFile, controlDir }: SshSettings): string[] {
  const options = {
    BatchMode: 'yes',
    ClearAllForwardings: 'yes',
    ConnectTimeout: String(CONNECT_SECONDS),
    ControlMaster: 'auto',
    ControlPath: `${controlDir}/%C`,
    ControlPersist: String(PERSIST_SECONDS),
    ForwardAgent: 'no',
    ForwardX11: 'no',
    GlobalKnownHostsFile: '/dev/null',
    IdentitiesOnly: 'yes',
    IdentityAgent: 'none',
    IdentityFile: identityFile,
    LogLevel: 'ERROR',
    PermitLocalCommand: 'no',
    Port: String(port),
    PreferredAuthentications: 'publickey',
    RequestTTY: 'no',
    // A dead machine is noticed after 15 s, by the shared connection for all calls at once.
    ServerAliveInterval: '5',
    ServerAliveCountMax: '3',
    StrictHostKeyChecking: 'yes',
    UpdateHostKeys: 'no',
    User: user,
    UserKnownHostsFile: knownHostsFile,
  }
  const list = Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`])
  return ['-F/dev/null', '-T', '-e', 'none', ...list]
}

/** Nothing ran over there: the connection was never made. */
const NEVER_CONNECTED = /Host key verification failed|Permission denied|^ssh: (?:connect to host|Could not resolve)/m

export function neverConnected({ stderr }: Output): boolean {
  return NEVER_CONNECTED.test(stderr)
}

/** Why ssh itself failed, by what it printed. */
export function complaintOf(
  { code, stderr }: Output,
  { knownHostsFile, user, identityFile }: SshSettings,
): Omit<Finding, 'asked'> {
  const text = stderr.trim().replace(/\s+/g, ' ')
  if (/IDENTIFICATION HAS CHANGED/.test(text)) {
    const found = `the machine shows another host key than the one in ${knownHostsFile}`
    return {
      found,
      next: 'find out whether it was installed anew or is another machine, and only then correct the file',
    }
  }
  if (/Host key verification failed|host key is known/.test(text)) {
    const found = `${knownHostsFile} has no host key for it`
    return { found, next: 'put the key there: ssh-keyscan prints it, the machine itself proves it' }
  }
  if (/Permission denied/.test(text)) {
    const found = `it does not accept ${user} with the key ${identityFile}`
    return { found, next: 'put the public key into its authorized_keys, and check that the private key is readable' }
  }
  const found = `ssh ended with ${code}: ${text.slice(0, 400) || 'the connection was lost'}`
  return { found, next: 'check that the machine runs and is reachable, and call again' }
}
