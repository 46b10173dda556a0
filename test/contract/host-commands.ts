// What commands on a machine must do, wherever the machine is: run for this one, and for one behind ssh.
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import fc from 'fast-check'
import type { Command, Host } from '../../src/host/host.ts'
import { CommandFailed } from '../../src/volume/errors.ts'
import { Secret } from '../../src/volume/secret.ts'
import { failure, recordingLogger, temporaryFolder, testOp } from '../fixtures.ts'
import { waitUntil } from '../patience.ts'

export const sh = (script: string, rest: Partial<Command> = {}, ...args: (string | Secret)[]): Command => ({
  file: 'sh',
  args: ['-c', script, 'sh', ...args],
  timeoutMs: 20_000,
  onAbort: 'kill',
  ...rest,
})

/** Not a zombie either: whoever is process 1 here may not wait for orphans. */
export const isAlive = (pid: number): boolean => {
  const path = `/proc/${pid}/stat`
  return existsSync(path) && !/\) [ZX] /.test(readFileSync(path, 'utf8'))
}

/** The begin of a script whose first argument is where it notes its process. */
export const NOTE = 'echo $$ > "$1.tmp"; mv "$1.tmp" "$1"'
export const pidIn = (note: string): number => Number(readFileSync(note, 'utf8'))

const WAYS = ['kill', 'finish'] as const
type Runs = Pick<Host, 'run' | 'hold'>
type Tests = Readonly<Record<string, (t: TestContext) => Promise<void>>>

/** By what commands do; each file of tests names them itself, so that its results are its own. */
export function hostCommandsContract(host: Runs): Tests {
  return { ...answers(host), ...ends(host), ...held(host) }
}

function answers(host: Runs): Tests {
  const each = async (
    check: (run: (script: string, rest?: Partial<Command>) => ReturnType<Runs['run']>) => unknown,
  ) => {
    for (const onAbort of WAYS)
      await check(async (script, rest = {}) => await host.run(sh(script, { onAbort, ...rest }), testOp()))
  }
  return {
    'answer output and exit code when the code has a meaning': () =>
      each(async run => {
        assert.deepEqual(await run('echo out; echo err >&2'), { code: 0, stdout: 'out\n', stderr: 'err\n' })
        const { code, stdout } = await run('printf out; exit 255', { okCodes: [0, 255] })
        assert.deepEqual([code, stdout], [255, 'out'])
      }),

    'fail for any other code, with the code and what they printed': () =>
      each(async run => {
        await assert.rejects(run('echo no such thing >&2; exit 3', { okCodes: [0, 2] }), (error: CommandFailed) => {
          assert.ok(error instanceof CommandFailed)
          assert.equal(error.code, 3)
          assert.match(error.message, /exit code 3: no such thing;/)
          return true
        })
        await assert.rejects(run('exit 0', { okCodes: [1] }), failure('internal', /exit code 0/))
        await assert.rejects(run('kill -9 $$'), failure('internal', /SIGKILL|137/))
      }),

    'say that a program is not installed': () =>
      each(run =>
        assert.rejects(
          run('', { file: 'no-such-program-7f' }),
          failure('unavailable', /no-such-program-7f is not installed/),
        ),
      ),

    'get their input, or none at all': () =>
      each(async run => {
        assert.equal((await run('cat')).stdout, '')
        assert.equal((await run('cat', { stdin: 'text' })).stdout, 'text')
        assert.equal((await run('cat', { stdin: new Secret('key') })).stdout, 'key')
      }),

    'see the system’s own PATH, the C locale and nothing else of our environment': () =>
      each(async run => {
        const { stdout } = await run('echo "$PATH|$LC_ALL|$HOME$USER$NODE_ID$SSH_CLIENT"')
        assert.equal(stdout, '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin|C|\n')
      }),

    'keep binary output intact, a character a byte': () =>
      each(async run => {
        const { stdout } = await run("printf '\\377\\000\\200\\012'", { encoding: 'latin1' })
        assert.equal(stdout, '\u00ff\u0000\u0080\n')
      }),

    async 'get any arguments exactly as they are'() {
      const word = fc.string({ unit: 'binary' }).map(text => text.replaceAll('\0', ''))
      const nasty = fc.constantFrom("'", '"', '\\', '\n', '$(id)', '`id`', '!', '*', '-n', '--', '', ' ', '\r')
      const words = fc.array(fc.oneof(word, nasty), { maxLength: 30 })
      await fc.assert(
        fc.asyncProperty(words, fc.constantFrom(...WAYS), async (args, onAbort) => {
          const print = sh('for each; do printf "%s\\0" "$each"; done', { onAbort }, ...args)
          assert.equal((await host.run(print, testOp())).stdout, args.map(one => `${one}\0`).join(''))
        }),
        { numRuns: 12 },
      )
    },
  }
}

function ends(host: Runs): Tests {
  return {
    async 'are ended when they print without end'(t) {
      const note = join(await temporaryFolder(t), 'pid')
      await assert.rejects(host.run(sh(`${NOTE}; exec yes`, {}, note), testOp()), failure('internal', /without end/))
      await waitUntil('its end', () => !isAlive(pidIn(note)))
    },

    async 'are killed when their time is up'(t) {
      const note = join(await temporaryFolder(t), 'pid')
      await assert.rejects(
        host.run(sh(`${NOTE}; exec sleep 60`, { timeoutMs: 5000 }, note), testOp()),
        failure('unavailable', /no answer within 5000 ms/),
      )
      assert.equal(isAlive(pidIn(note)), false)
    },

    async 'are killed when the caller goes, also if they do not listen, and do not start when he has gone'(t) {
      const note = join(await temporaryFolder(t), 'pid')
      const caller = new AbortController()
      const script = `trap "" TERM; ${NOTE}; while :; do sleep 0.1; done`
      const running = host.run(sh(script, {}, note), testOp(caller.signal))
      await waitUntil('its note', () => existsSync(note))
      caller.abort()
      await assert.rejects(running, failure('cancelled'))
      assert.equal(isAlive(pidIn(note)), false)
      await assert.rejects(host.run(sh('echo > "$1"', {}, `${note}2`), testOp(caller.signal)), failure('cancelled'))
      assert.equal(existsSync(`${note}2`), false)
    },

    async 'that must finish do, whoever goes and however long they take, and are logged as slow'(t) {
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
    },
  }
}

function held(host: Runs): Tests {
  return {
    async 'that are held run until they are let go, and end when their input does'(t) {
      const note = join(await temporaryFolder(t), 'note')
      const letGo = await host.hold(sh('cat; echo ended > "$1"', {}, note), testOp())
      assert.ok(!existsSync(note))
      await letGo()
      assert.equal(readFileSync(note, 'utf8'), 'ended\n')
    },

    async 'that are to be held, but end, are an error with its code'() {
      const ending = (script: string) => host.hold(sh(script), testOp())
      await assert.rejects(ending('exit 75'), (error: CommandFailed) => error.code === 75)
      await assert.rejects(ending('exit 0'), (error: CommandFailed) => error.code === 0)
      await assert.rejects(
        host.hold({ file: 'no-such-program-7f', args: [], timeoutMs: 20_000 }, testOp()),
        CommandFailed,
      )
    },

    async 'that are to be held, but do not echo in time, are killed'(t) {
      const note = join(await temporaryFolder(t), 'pid')
      await assert.rejects(
        host.hold(sh(`${NOTE}; exec sleep 60`, { timeoutMs: 5000 }, note), testOp()),
        failure('unavailable', /no answer within 5000 ms/),
      )
      assert.equal(isAlive(pidIn(note)), false)
    },

    async 'that are to be held are killed when the caller goes before, and do not start when he has gone'(t) {
      const note = join(await temporaryFolder(t), 'pid')
      const caller = new AbortController()
      const holding = host.hold(sh(`${NOTE}; exec sleep 60`, {}, note), testOp(caller.signal))
      await waitUntil('its note', () => existsSync(note))
      caller.abort()
      await assert.rejects(holding, failure('cancelled'))
      assert.equal(isAlive(pidIn(note)), false)
      await assert.rejects(host.hold(sh(`${NOTE}; cat`, {}, `${note}2`), testOp(caller.signal)), failure('cancelled'))
      assert.equal(existsSync(`${note}2`), false)
    },

    async 'that are held stay when the caller goes'() {
      const caller = new AbortController()
      const letGo = await host.hold(sh('exec cat'), testOp(caller.signal))
      caller.abort()
      await letGo()
    },

    async 'that are held, but end before they are let go, are told of then'(t) {
      const note = join(await temporaryFolder(t), 'pid')
      const letGo = await host.hold(sh(`${NOTE}; exec cat`, {}, note), testOp())
      process.kill(pidIn(note), 'SIGKILL')
      await assert.rejects(letGo(), failure('unavailable', /it ended.* let go/))
    },
  }
}
