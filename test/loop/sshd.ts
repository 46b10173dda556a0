// A real sshd on loopback for tests: keys, port and configuration of its own, and its end with the test.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { freePort } from '../../hack/lab/ports.ts'
import type { SshSettings } from '../../src/host/ssh-client.ts'

export interface Sshd {
  readonly settings: SshSettings
  readonly folder: string
  /** Ends the server and every connection to it, as when the machine loses its network. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Takes everything away. */
  end(): Promise<void>
}

export async function startSshd(): Promise<Sshd> {
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-sshd-'))
  const controlDir = mkdtempSync('/tmp/ashlar-ssh-')
  const files = writeSshdFiles(folder, folder, '127.0.0.1', await freePort())
  // Privilege separation of Debian's sshd wants this folder, which its service makes.
  mkdirSync('/run/sshd', { recursive: true })
  let server: ChildProcess = spawn('true')
  const kill = async (): Promise<void> => {
    const { pid } = server
    if (pid === undefined || server.exitCode !== null || server.signalCode !== null) return
    const ended = once(server, 'exit')
    // Its connections are processes of their own, with sessions of their own.
    for (const each of [...childrenOf(pid), pid]) endProcess(each)
    await ended
  }
  const start = async (): Promise<void> => {
    server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(folder, 'config')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let log = ''
    server.stderr?.on('data', (chunk: Buffer) => {
      log += chunk.toString()
    })
    while (!log.includes('Server listening')) {
      if (server.exitCode !== null) throw new Error(`sshd: ${log}`)
      await pause(10)
    }
  }
  await start()
  const settings = { ...files, user: userInfo().username, controlDir }
  const end = async (): Promise<void> => {
    await kill()
    for (const each of [folder, controlDir]) rmSync(each, { recursive: true })
  }
  return { settings, folder, kill, start, end }
}

/** Keys and configuration of a server, and how a client reaches it. `seen`: the folder as both will know it. */
export function writeSshdFiles(folder: string, seen: string, address: string, port: number) {
  for (const name of ['host', 'client', 'stranger'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, name)])
  copyFileSync(join(folder, 'client.pub'), join(folder, 'authorized_keys'))
  const [type, key] = readFileSync(join(folder, 'host.pub'), 'utf8').split(' ')
  writeFileSync(join(folder, 'known_hosts'), `[${address}]:${port} ${type} ${key}\n`)
  const at = (name: string): string => join(seen, name)
  writeFileSync(join(folder, 'config'), configuration(address, port, at))
  return { address, port, identityFile: at('client'), knownHostsFile: at('known_hosts') }
}

const configuration = (address: string, port: number, at: (name: string) => string): string =>
  [
    `Port ${port}`,
    `ListenAddress ${address}`,
    `HostKey ${at('host')}`,
    `AuthorizedKeysFile ${at('authorized_keys')}`,
    'PidFile none',
    'UsePAM no',
    'StrictModes no',
    'PasswordAuthentication no',
    'PermitRootLogin prohibit-password',
    // Tests connect in crowds: beyond ten that have not logged in, sshd turns some away at random.
    'MaxStartups 200',
    '',
  ].join('\n')

/** Direct children: one for each connection. */
function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
}

function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
