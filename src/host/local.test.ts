// Tests of the local host: exit codes, time limits, aborts, and that secrets stay secret.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { setTimeout as pause } from 'node:timers/promises'
import { failure, recordingLogger, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { CommandFailed } from '../volume/errors.ts'
import { Secret } from '../volume/secret.ts'
import type { Command } from './host.ts'
import { localHost } from './local.ts'

const host = localHost()
const sh = (script: string, rest: Partial<Command> = {}, ...args: (string | Secret)[]): Command => ({
  file: 'sh',
  args: ['-c', script, 'sh', ...args],
  timeoutMs: 10_000,
  onAbort: 'kill',
  ...rest,
})
const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
const until = async (isSo: () => boolean): Promise<void> => {
  while (!isSo()) await pause(5)
}
/** A script that notes its process and sleeps; the note, and whether the process lives. */
async function sleeper(t: TestContext) {
  const note = join(await temporaryFolder(t), 'pid')
  return {
    note,
    script: 'echo $$ > "$1.tmp"; mv "$1.tmp" "$1"; exec sleep 60',
    pid: async () => Number(await readFile(note, 'utf8')),
  }
}

describe('a command', () => {
  it('answers output and exit code when the code has a meaning', async () => {
    assert.deepEqual(await host.run(sh('echo out; echo err >&2'), testOp()), {
      code: 0,
      stdout: 'out\n',
      stderr: 'err\n',
    })
    assert.equal((await host.run(sh('exit 2', { okCodes: [0, 2] }), testOp())).code, 2)
  })

  it('fails for any other code, with the code and what it printed', async () => {
    await assert.rejects(host.run(sh('echo no such thing >&2; exit 3', { okCodes: [0, 2] }), testOp()), error => {
      assert.ok(error instanceof CommandFailed)
      assert.equal(error.code, 3)
      assert.match(error.message, /exit code 3: no such thing;/)
      return true
    })
    await assert.rejects(host.run(sh('exit 0', { okCodes: [1] }), testOp()), failure('internal', /exit code 0/))
    await assert.rejects(host.run(sh('kill -9 $$'), testOp()), failure('internal', /SIGKILL/))
  })

  it('that is not installed says so', async () => {
    await assert.rejects(
      host.run(sh('', { file: 'no-such-program-7f' }), testOp()),
      failure('unavailable', /no-such-program-7f is not installed/),
    )
  })

  it('gets its input, or none at all', async () => {
    assert.equal((await host.run(sh('cat'), testOp())).stdout, '')
    assert.equal((await host.run(sh('cat', { stdin: 'text' }), testOp())).stdout, 'text')
    assert.equal((await host.run(sh('cat', { stdin: new Secret('key') }), testOp())).stdout, 'key')
  })

  it('sees the system’s own PATH, the C locale and nothing else of our environment', async () => {
    const { stdout } = await host.run(sh('echo "$PATH|$LC_ALL|$HOME$USER$NODE_ID"'), testOp())
    assert.equal(stdout, '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|C|\n')
  })

  it('passes arguments as they are, without a shell', async () => {
    const nasty = ['a b', '$(id)', '"', '*', '', '--', 'ä\n']
    const { stdout } = await host.run(sh('for each; do printf "%s|" "$each"; done', {}, ...nasty), testOp())
    assert.equal(stdout, `${nasty.join('|')}|`)
  })

  it('keeps binary output intact, a character a byte', async () => {
    const { stdout } = await host.run(sh("printf '\\377\\000\\200\\012'", { encoding: 'latin1' }), testOp())
    assert.equal(stdout, '\u00ff\u0000\u0080\n')
  })

  it('that prints without end is ended', async () => {
    await assert.rejects(host.run(sh('exec yes'), testOp()), failure('internal'))
  })
})

describe('time and abort', () => {
  it('a killable command is killed when its time is up', async t => {
    const { note, script, pid } = await sleeper(t)
    await assert.rejects(
      host.run(sh(script, { timeoutMs: 300 }, note), testOp()),
      failure('unavailable', /no answer within 300 ms/),
    )
    assert.equal(isAlive(await pid()), false)
  })

  it('a killable command is killed when the caller goes, and does not start when he has gone', async t => {
    const { note, script, pid } = await sleeper(t)
    const caller = new AbortController()
    const running = host.run(sh(script, {}, note), testOp(caller.signal))
    await until(() => existsSync(note))
    caller.abort()
    await assert.rejects(running, failure('cancelled'))
    assert.equal(isAlive(await pid()), false)
    await assert.rejects(host.run(sh('echo > "$1"', {}, `${note}2`), testOp(caller.signal)), failure('cancelled'))
    assert.equal(existsSync(`${note}2`), false)
  })

  it('a command that must finish does, whoever goes and however long it takes; it is logged as slow', async t => {
    const note = join(await temporaryFolder(t), 'note')
    const caller = new AbortController()
    const lines: string[] = []
    const op = { ...testOp(caller.signal), log: recordingLogger(lines) }
    const script = 'echo > "$1.begun"; while [ ! -e "$1.end" ]; do sleep 0.02; done; echo done > "$1"; echo out'
    const running = host.run(sh(script, { onAbort: 'finish', timeoutMs: 1 }, note), op)
    await until(() => existsSync(`${note}.begun`))
    caller.abort()
    await until(() => lines.some(line => line.includes('"warn"')))
    await host.run(sh('echo > "$1.end"', { onAbort: 'finish' }, note), op)
    assert.equal((await running).stdout, 'out\n')
    assert.equal(await readFile(note, 'utf8'), 'done\n')
  })

  it('a command that must finish is not ended for what it prints, and the end of that is kept', async t => {
    const note = join(await temporaryFolder(t), 'note')
    const script = 'yes | head -c 20000000; echo the end; echo done > "$1"'
    const { stdout } = await host.run(sh(script, { onAbort: 'finish' }, note), testOp())
    assert.equal(await readFile(note, 'utf8'), 'done\n')
    assert.ok(stdout.endsWith('y\nthe end\n'))
    assert.ok(stdout.length <= 4 * 1024 * 1024)
    await assert.rejects(host.run(sh('yes | head -c 20000000'), testOp()), failure('internal'))
  })

  it('a command that must finish is out of reach of signals to our process group', async () => {
    const group = async (onAbort: 'kill' | 'finish') =>
      (
        await host.run(sh('ps -o pgid= -p $$ 2>/dev/null || cut -d " " -f 5 /proc/$$/stat', { onAbort }), testOp())
      ).stdout.trim()
    assert.notEqual(await group('finish'), await group('kill'))
  })
})

describe('a program that is held', () => {
  it('runs until it is let go, and ends when its input does', async t => {
    const note = join(await temporaryFolder(t), 'note')
    const letGo = await host.hold(sh('cat; echo ended > "$1"', {}, note), testOp())
    assert.ok(!existsSync(note))
    await letGo()
    assert.equal(await readFile(note, 'utf8'), 'ended\n')
  })

  it('that does not echo, but ends, is an error with its code', async () => {
    const ends = (script: string) => host.hold(sh(script), testOp())
    await assert.rejects(ends('exit 75'), (error: CommandFailed) => error.code === 75)
    await assert.rejects(ends('exit 0'), (error: CommandFailed) => error.code === 0)
    await assert.rejects(host.hold({ file: 'no-such-program-7f', args: [] }, testOp()), failure('internal', /ENOENT/))
  })
})

describe('a secret', () => {
  const canary = 'canary-77aa'

  it('reaches the command, and neither the log nor an error, not even when the command repeats it', async () => {
    const lines: string[] = []
    const op = { ...testOp(), log: recordingLogger(lines) }
    const secret = new Secret(canary)
    assert.equal((await host.run(sh('echo "$1"; cat', { stdin: secret }, secret), op)).stdout, `${canary}\n${canary}`)
    for (const command of [
      sh('echo "bad key $1" >&2; exit 1', {}, secret),
      sh('cat; exit 1', { stdin: secret }),
      sh('exec sleep 60', { timeoutMs: 50 }, secret),
      sh('', { file: 'no-such-program-7f' }, secret),
      sh('kill -9 $$', {}, secret),
    ]) {
      await assert.rejects(host.run(command, op), (error: Error) => {
        for (const text of [error.message, String(error.stack), JSON.stringify(error), String(error.cause)])
          assert.ok(!text.includes(canary), text)
        return true
      })
    }
    assert.ok(lines.length > 0)
    assert.ok(!lines.join().includes(canary))
  })
})
