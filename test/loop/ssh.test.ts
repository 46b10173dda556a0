// A machine behind ssh, with a real sshd on loopback: the same answers as of this machine, whatever happens between.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import type { Command, Host, HostFiles } from '../../src/host/host.ts'
import { sshHost } from '../../src/host/ssh.ts'
import type { SshSettings } from '../../src/host/ssh-client.ts'
import { Secret } from '../../src/volume/secret.ts'
import { hostCommandsContract, isAlive, NOTE, pidIn, sh } from '../contract/host-commands.ts'
import { hostFilesContract } from '../contract/host-files.ts'
import { failure, recordingLogger, temporaryFolder, testOp } from '../fixtures.ts'
import { waitUntil } from '../patience.ts'
import { farHost } from './far-host.ts'

const far = farHost()

const leftovers = (): string[] => readdirSync('/run').filter(name => name.startsWith('ashlar-ssh.'))

// The host is made when the tests begin.
const files = new Proxy({} as HostFiles, { get: (_, name) => far.host.files[name as keyof HostFiles] })
describe('files of a machine behind ssh', () => {
  for (const [what, run] of Object.entries(hostFilesContract(files))) it(what, run)
})

const commands: Pick<Host, 'run' | 'hold'> = {
  run: (command, op) => far.host.run(command, op),
  hold: (command, op) => far.host.hold(command, op),
}
describe('commands on a machine behind ssh', () => {
  for (const [what, run] of Object.entries(hostCommandsContract(commands))) it(what, run)
})

describe('a command', () => {
  it('is told from ssh, names the machine, and leaves nothing there', async () => {
    for (const onAbort of ['kill', 'finish'] as const) {
      const run = (script: string, okCodes: number[]) => far.host.run(sh(script, { onAbort, okCodes }), testOp())
      assert.equal((await run('exit 255', [255])).code, 255)
      await assert.rejects(run('exit 3', [0]), failure('internal', /on 127\.0\.0\.1: exit code 3/))
    }
    assert.deepEqual(leftovers(), [])
  })

  it('runs beside many others', async () => {
    const numbers = Array.from({ length: 24 }, (_, n) => n)
    const answers = await Promise.all(numbers.map(n => far.host.run(sh('sleep 0.3; echo "$1"', {}, `${n}`), testOp())))
    assert.deepEqual(
      answers.map(({ stdout }) => Number(stdout)),
      numbers,
    )
  })

  it('is killed over there with all that it started', async t => {
    const note = join(await temporaryFolder(t), 'pid')
    await assert.rejects(
      far.host.run(sh(`${NOTE}; sleep 61; echo`, { timeoutMs: 5000 }, note), testOp()),
      failure('unavailable', /no answer within 5000 ms/),
    )
    assert.equal(isAlive(pidIn(note)), false)
    assert.throws(() => execFileSync('pgrep', ['-x', '-f', 'sleep 61']))
  })

  it('that must finish does when the connection is lost, and its answer is fetched', async t => {
    const note = join(await temporaryFolder(t), 'note')
    const script = 'echo > "$1.begun"; while [ ! -e "$1.end" ]; do sleep 0.05; done; echo done > "$1"; echo out; exit 7'
    const running = far.host.run(sh(script, { onAbort: 'finish', okCodes: [7] }, note), testOp())
    await waitUntil('its begin', () => existsSync(`${note}.begun`))
    await far.sshd.kill()
    writeFileSync(`${note}.end`, '')
    await waitUntil('its note', () => existsSync(note))
    await assert.rejects(
      far.host.run(sh('true'), testOp()),
      failure('unavailable', /on 127\.0\.0\.1: ssh ended with 255/),
    )
    await far.sshd.start()
    assert.deepEqual(await running, { code: 7, stdout: 'out\n', stderr: '' })
    assert.deepEqual(leftovers(), [])
  })
})

describe('a connection', () => {
  const other = (change: Partial<SshSettings>) => sshHost({ ...far.sshd.settings, ...change })
  const attempt = async (t: TestContext, change: Partial<SshSettings>, onAbort: Command['onAbort'] = 'kill') => {
    const controlDir = await temporaryFolder(t)
    const strange = other({ controlDir, ...change })
    return await strange.run(sh('echo > "$1"', { onAbort }, join(far.sshd.folder, 'never')), testOp())
  }

  it('to a machine with an unknown or another host key is refused', async t => {
    const folder = await temporaryFolder(t)
    const [unknown, changed] = [join(folder, 'unknown'), join(folder, 'changed')]
    writeFileSync(unknown, '')
    const [type, key] = readFileSync(join(far.sshd.folder, 'stranger.pub'), 'utf8').split(' ')
    writeFileSync(changed, `[127.0.0.1]:${far.sshd.settings.port} ${type} ${key}\n`)
    for (const onAbort of ['kill', 'finish'] as const) {
      await assert.rejects(attempt(t, { knownHostsFile: unknown }, onAbort), failure('unavailable', /has no host key/))
      await assert.rejects(attempt(t, { knownHostsFile: changed }, onAbort), failure('unavailable', /another host key/))
    }
    assert.equal(readFileSync(unknown, 'utf8'), '')
    assert.equal(existsSync(join(far.sshd.folder, 'never')), false)
  })

  it('that takes its time takes none of the command', async t => {
    const proxy = createServer(client => {
      const server = connect(far.sshd.settings.port, '127.0.0.1')
      for (const each of [client, server]) each.on('error', () => each.destroy())
      server.pipe(client)
      // The greeting of the client arrives late.
      setTimeout(() => client.pipe(server), 4000)
    }).listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    t.after(() => proxy.close())
    const { port } = proxy.address() as AddressInfo
    const folder = await temporaryFolder(t)
    const knownHostsFile = join(folder, 'known')
    writeFileSync(knownHostsFile, readFileSync(far.sshd.settings.knownHostsFile, 'utf8').replace(/:\d+ /, `:${port} `))
    const slow = other({ port, knownHostsFile, controlDir: await temporaryFolder(t) })
    t.after(() => slow.close())
    const run = (n: number) => slow.run(sh('echo "$1"', { timeoutMs: 3000 }, `${n}`), testOp())
    const answers = await Promise.all([1, 2, 3].map(run))
    assert.deepEqual(
      answers.map(({ stdout }) => stdout),
      ['1\n', '2\n', '3\n'],
    )
  })

  it('with a key that is not accepted, or to nowhere, says so', async t => {
    const stranger = { identityFile: join(far.sshd.folder, 'stranger') }
    await assert.rejects(attempt(t, stranger), failure('unavailable', /does not accept/))
    await assert.rejects(attempt(t, { port: 1 }, 'finish'), failure('unavailable', /Connection refused/))
    const strange = other({ controlDir: await temporaryFolder(t), ...stranger })
    const cat = { file: 'cat', args: [], timeoutMs: 20_000 }
    await assert.rejects(strange.hold(cat, testOp()), failure('unavailable', /does not accept/))
    for (const bad of [
      { address: '-oProxyCommand=id' },
      { user: '-l' },
      { port: 0 },
      { controlDir: `/${'x'.repeat(60)}` },
    ])
      assert.throws(() => other(bad), failure('invalid-argument'))
  })

  it('is shared by all calls', async () => {
    await far.host.run(sh('true'), testOp())
    assert.equal(readdirSync(far.sshd.settings.controlDir).length, 1)
  })
})

describe('a program that is held', () => {
  it('ends when the driver is killed: its lock is free', async t => {
    const lock = join(await temporaryFolder(t), 'lock')
    const driver = spawn(process.execPath, [join(import.meta.dirname, 'ssh-holder.ts'), lock], {
      env: { ...process.env, SSH_SETTINGS: JSON.stringify(far.sshd.settings) },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await new Promise(resolve => driver.stdout.once('data', resolve))
    const isFree = () => {
      try {
        execFileSync('flock', ['--nonblock', lock, 'true'])
        return true
      } catch {
        return false
      }
    }
    assert.equal(isFree(), false)
    driver.kill('SIGKILL')
    await waitUntil('a free lock', isFree)
  })

  it('is not taken for held when the connection was lost meanwhile', async () => {
    const letGo = await far.host.hold(sh('exec cat'), testOp())
    await far.sshd.kill()
    await far.sshd.start()
    await assert.rejects(
      letGo(),
      failure('unavailable', /^sh -c exec cat sh on 127\.0\.0\.1: it ended, or the connection/),
    )
  })
})

describe('a secret', () => {
  const canary = 'canary-77aa'

  it('reaches the command on its input, and neither an argument, the log nor an error', async () => {
    const lines: string[] = []
    const op = { ...testOp(), log: recordingLogger(lines) }
    const secret = new Secret(canary)
    await assert.rejects(far.host.run(sh('echo "$1"', {}, secret), op), TypeError)
    for (const onAbort of ['kill', 'finish'] as const) {
      assert.equal((await far.host.run(sh('cat', { stdin: secret, onAbort }), op)).stdout, canary)
      await assert.rejects(far.host.run(sh('cat >&2; exit 1', { stdin: secret, onAbort }), op), (error: Error) => {
        for (const text of [error.message, String(error.stack), JSON.stringify(error)])
          assert.ok(!text.includes(canary))
        return true
      })
    }
    assert.ok(lines.length > 0)
    assert.ok(!lines.join().includes(canary))
  })
})
