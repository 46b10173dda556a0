// A machine behind ssh, with a real sshd on loopback: the same answers as of this machine, whatever happens between.
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it, type TestContext } from 'node:test'
import fc from 'fast-check'
import type { Command, HostFiles } from '../../src/host/host.ts'
import { type SshHost, sshHost } from '../../src/host/ssh.ts'
import type { SshSettings } from '../../src/host/ssh-client.ts'
import { CommandFailed } from '../../src/volume/errors.ts'
import { Secret } from '../../src/volume/secret.ts'
import { hostFilesContract } from '../contract/host-files.ts'
import { failure, recordingLogger, temporaryFolder, testOp } from '../fixtures.ts'
import { waitUntil } from '../patience.ts'
import { type Sshd, startSshd } from './sshd.ts'

let sshd: Sshd
let host: SshHost
before(async () => {
  sshd = await startSshd()
  host = sshHost(sshd.settings)
})
after(async () => {
  await host.close()
  await sshd.end()
})

const sh = (script: string, rest: Partial<Command> = {}, ...args: (string | Secret)[]): Command => ({
  file: 'sh',
  args: ['-c', script, 'sh', ...args],
  timeoutMs: 20_000,
  onAbort: 'kill',
  ...rest,
})
/** Not a zombie either: whoever is process 1 here may not wait for orphans. */
const isAlive = (pid: number): boolean => {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, 'utf8'))
}
const pidIn = (note: string): number => Number(readFileSync(note, 'utf8'))
const NOTE = 'echo $$ > "$1.tmp"; mv "$1.tmp" "$1"'
const leftovers = (): string[] => readdirSync('/run').filter(name => name.startsWith('ashlar-ssh.'))

// The host is made when the tests begin.
const files = new Proxy({} as HostFiles, { get: (_, name) => host.files[name as keyof HostFiles] })
describe('files of a machine behind ssh', () => {
  for (const [what, run] of Object.entries(hostFilesContract(files))) it(what, run)
})

describe('a command', () => {
  it('answers output and exit code when the code has a meaning', async () => {
    for (const onAbort of ['kill', 'finish'] as const) {
      const run = (script: string, rest: Partial<Command> = {}) => host.run(sh(script, { onAbort, ...rest }), testOp())
      assert.deepEqual(await run('echo out; echo err >&2'), { code: 0, stdout: 'out\n', stderr: 'err\n' })
      assert.deepEqual(await run('printf out; printf err >&2; exit 255', { okCodes: [255] }), {
        code: 255,
        stdout: 'out',
        stderr: 'err',
      })
      await assert.rejects(run('echo no such thing >&2; exit 3', { okCodes: [0, 2] }), (error: CommandFailed) => {
        assert.ok(error instanceof CommandFailed)
        assert.equal(error.code, 3)
        assert.match(error.message, /on 127\.0\.0\.1: exit code 3: no such thing;/)
        return true
      })
      await assert.rejects(run('kill -9 $$'), failure('internal', /137/))
      assert.equal((await run('cat')).stdout, '')
      assert.equal((await run('cat', { stdin: 'text' })).stdout, 'text')
      assert.equal((await run('cat', { stdin: new Secret('key') })).stdout, 'key')
      assert.equal((await run("printf '\\377\\000\\200\\012'", { encoding: 'latin1' })).stdout, '\u00ff\u0000\u0080\n')
      const { stdout } = await run('echo "$PATH|$LC_ALL|$HOME$USER$SSH_CLIENT"')
      assert.equal(stdout, '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|C|\n')
      await assert.rejects(
        run('', { file: 'no-such-program-7f' }),
        failure('unavailable', /no-such-program-7f is not installed/),
      )
    }
    assert.deepEqual(leftovers(), [])
  })

  it('gets any arguments exactly as they are', async () => {
    const word = fc.string({ unit: 'binary' }).map(text => text.replaceAll('\0', ''))
    const nasty = fc.constantFrom("'", '"', '\\', '\n', '$(id)', '`id`', '!', '*', '-n', '', ' ', '\r')
    const words = fc.array(fc.oneof(word, nasty), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(words, fc.constantFrom('kill', 'finish'), async (args, onAbort) => {
        const print = sh('for each; do printf "%s\\0" "$each"; done', { onAbort }, ...args)
        assert.equal((await host.run(print, testOp())).stdout, args.map(each => `${each}\0`).join(''))
      }),
      { numRuns: 12 },
    )
  })

  it('runs beside many others', async () => {
    const numbers = Array.from({ length: 24 }, (_, n) => n)
    const answers = await Promise.all(numbers.map(n => host.run(sh('sleep 0.3; echo "$1"', {}, `${n}`), testOp())))
    assert.deepEqual(
      answers.map(({ stdout }) => Number(stdout)),
      numbers,
    )
  })

  it('that prints without end is ended', async t => {
    const note = join(await temporaryFolder(t), 'pid')
    await assert.rejects(host.run(sh(`${NOTE}; exec yes`, {}, note), testOp()), failure('internal', /without end/))
    await waitUntil('its end', () => !isAlive(pidIn(note)))
  })
})

describe('time and abort', () => {
  it('a killable command is killed over there when its time is up, with all that it started', async t => {
    const note = join(await temporaryFolder(t), 'pid')
    await assert.rejects(
      host.run(sh(`${NOTE}; sleep 61; echo`, { timeoutMs: 1500 }, note), testOp()),
      failure('unavailable', /no answer within 1500 ms/),
    )
    assert.equal(isAlive(pidIn(note)), false)
    assert.throws(() => execFileSync('pgrep', ['-x', '-f', 'sleep 61']))
  })

  it('a killable command is killed over there when the caller goes, and does not start when he has gone', async t => {
    const note = join(await temporaryFolder(t), 'pid')
    const caller = new AbortController()
    // It does not listen to SIGTERM.
    const script = `trap "" TERM; ${NOTE}; while :; do sleep 0.1; done`
    const running = host.run(sh(script, {}, note), testOp(caller.signal))
    await waitUntil('its note', () => existsSync(note))
    caller.abort()
    await assert.rejects(running, failure('cancelled'))
    assert.equal(isAlive(pidIn(note)), false)
    await assert.rejects(host.run(sh('echo > "$1"', {}, `${note}2`), testOp(caller.signal)), failure('cancelled'))
    assert.equal(existsSync(`${note}2`), false)
  })

  it('a command that must finish does, whoever goes and however long it takes', async t => {
    const note = join(await temporaryFolder(t), 'note')
    const caller = new AbortController()
    const lines: string[] = []
    const op = { ...testOp(caller.signal), log: recordingLogger(lines) }
    const script = 'echo > "$1.begun"; while [ ! -e "$1.end" ]; do sleep 0.05; done; echo done > "$1"; echo out'
    const running = host.run(sh(script, { onAbort: 'finish', timeoutMs: 1 }, note), op)
    await waitUntil('its begin', () => existsSync(`${note}.begun`))
    caller.abort()
    await waitUntil('a warning', () => lines.some(line => line.includes('"warn"')))
    writeFileSync(`${note}.end`, '')
    assert.equal((await running).stdout, 'out\n')
    assert.equal(readFileSync(note, 'utf8'), 'done\n')
  })

  it('a command that must finish does when the connection is lost, and its answer is fetched', async t => {
    const note = join(await temporaryFolder(t), 'note')
    const script = 'echo > "$1.begun"; while [ ! -e "$1.end" ]; do sleep 0.05; done; echo done > "$1"; echo out; exit 7'
    const running = host.run(sh(script, { onAbort: 'finish', okCodes: [7] }, note), testOp())
    await waitUntil('its begin', () => existsSync(`${note}.begun`))
    await sshd.kill()
    writeFileSync(`${note}.end`, '')
    await waitUntil('its note', () => existsSync(note))
    await assert.rejects(host.run(sh('true'), testOp()), failure('unavailable', /on 127\.0\.0\.1: ssh ended with 255/))
    await sshd.start()
    assert.deepEqual(await running, { code: 7, stdout: 'out\n', stderr: '' })
    assert.deepEqual(leftovers(), [])
  })
})

describe('a connection', () => {
  const other = (change: Partial<SshSettings>) => sshHost({ ...sshd.settings, ...change })
  const attempt = async (t: TestContext, change: Partial<SshSettings>, onAbort: Command['onAbort'] = 'kill') => {
    const controlDir = await temporaryFolder(t)
    const strange = other({ controlDir, ...change })
    return await strange.run(sh('echo > "$1"', { onAbort }, join(sshd.folder, 'never')), testOp())
  }

  it('to a machine with an unknown or another host key is refused', async t => {
    const folder = await temporaryFolder(t)
    const [unknown, changed] = [join(folder, 'unknown'), join(folder, 'changed')]
    writeFileSync(unknown, '')
    const [type, key] = readFileSync(join(sshd.folder, 'stranger.pub'), 'utf8').split(' ')
    writeFileSync(changed, `[127.0.0.1]:${sshd.settings.port} ${type} ${key}\n`)
    for (const onAbort of ['kill', 'finish'] as const) {
      await assert.rejects(attempt(t, { knownHostsFile: unknown }, onAbort), failure('unavailable', /has no host key/))
      await assert.rejects(attempt(t, { knownHostsFile: changed }, onAbort), failure('unavailable', /another host key/))
    }
    assert.equal(readFileSync(unknown, 'utf8'), '')
    assert.equal(existsSync(join(sshd.folder, 'never')), false)
  })

  it('with a key that is not accepted, or to nowhere, says so', async t => {
    const stranger = { identityFile: join(sshd.folder, 'stranger') }
    await assert.rejects(attempt(t, stranger), failure('unavailable', /does not accept/))
    await assert.rejects(attempt(t, { port: 1 }, 'finish'), failure('unavailable', /Connection refused/))
    const strange = other({ controlDir: await temporaryFolder(t), ...stranger })
    await assert.rejects(strange.hold({ file: 'cat', args: [] }, testOp()), failure('unavailable', /does not accept/))
    for (const bad of [
      { address: '-oProxyCommand=id' },
      { user: '-l' },
      { port: 0 },
      { controlDir: `/${'x'.repeat(60)}` },
    ])
      assert.throws(() => other(bad), failure('invalid-argument'))
  })

  it('is shared by all calls', async () => {
    await host.run(sh('true'), testOp())
    assert.equal(readdirSync(sshd.settings.controlDir).length, 1)
  })
})

describe('a program that is held', () => {
  it('runs until it is let go, and ends when its input does', async t => {
    const note = join(await temporaryFolder(t), 'note')
    const letGo = await host.hold(sh('cat; echo ended > "$1"', {}, note), testOp())
    assert.ok(!existsSync(note))
    await letGo()
    assert.equal(readFileSync(note, 'utf8'), 'ended\n')
  })

  it('that does not echo, but ends, is an error with its code', async () => {
    const ends = (script: string) => host.hold(sh(script), testOp())
    await assert.rejects(ends('exit 75'), (error: CommandFailed) => error.code === 75)
    await assert.rejects(host.hold({ file: 'no-such-program-7f', args: [] }, testOp()), CommandFailed)
  })

  it('ends when the driver is killed: its lock is free', async t => {
    const lock = join(await temporaryFolder(t), 'lock')
    const driver = spawn(process.execPath, [join(import.meta.dirname, 'ssh-holder.ts'), lock], {
      env: { ...process.env, SSH_SETTINGS: JSON.stringify(sshd.settings) },
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
})

describe('a secret', () => {
  const canary = 'canary-77aa'

  it('reaches the command on its input, and neither an argument, the log nor an error', async () => {
    const lines: string[] = []
    const op = { ...testOp(), log: recordingLogger(lines) }
    const secret = new Secret(canary)
    await assert.rejects(host.run(sh('echo "$1"', {}, secret), op), TypeError)
    for (const onAbort of ['kill', 'finish'] as const) {
      assert.equal((await host.run(sh('cat', { stdin: secret, onAbort }), op)).stdout, canary)
      await assert.rejects(host.run(sh('cat >&2; exit 1', { stdin: secret, onAbort }), op), (error: Error) => {
        for (const text of [error.message, String(error.stack), JSON.stringify(error)])
          assert.ok(!text.includes(canary))
        return true
      })
    }
    assert.ok(lines.length > 0)
    assert.ok(!lines.join().includes(canary))
  })
})
