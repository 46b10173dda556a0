// A real sshd on loopback for tests: keys, port and configuration of its own, and its end with the test.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
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
  const at = (name: string): string => join(folder, name)
  const controlDir = mkdtempSync('/tmp/ashlar-ssh-')
  for (const name of ['host', 'client', 'stranger'])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', at(name)])
  copyFileSync(at('client.pub'), at('authorized_keys'))
  const port = await freePort()
  const [type, key] = readFileSync(at('host.pub'), 'utf8').split(' ')
  writeFileSync(at('known_hosts'), `[127.0.0.1]:${port} ${type} ${key}\n`)
  writeFileSync(at('config'), configuration(port, at))
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
    server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', at('config')], { stdio: ['ignore', 'ignore', 'pipe'] })
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
  const [identityFile, knownHostsFile] = [at('client'), at('known_hosts')]
  const settings = { address: '127.0.0.1', port, user: userInfo().username, identityFile, knownHostsFile, controlDir }
  const end = async (): Promise<void> => {
    await kill()
    for (const each of [folder, controlDir]) rmSync(each, { recursive: true })
  }
  return { settings, folder, kill, start, end }
}

const configuration = (port: number, at: (name: string) => string): string =>
  [
    `Port ${port}`,
    'ListenAddress 127.0.0.1',
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

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

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
