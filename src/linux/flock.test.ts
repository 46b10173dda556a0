// Tests of locks: a held lock is worth a retry, and a tool's own exit code passes through.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { failure, locked, recordingLogger, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { waitUntil } from '../../test/patience.ts'
import { fakeHost } from '../host/fake.ts'
import type { Host } from '../host/host.ts'
import { localHost } from '../host/local.ts'
import { CommandFailed } from '../volume/errors.ts'
import { runLocked, underLock } from './flock.ts'

const op = testOp()

/** The processes that have the file open: who holds its lock, and who waits for it. */
const holdersOf = (path: string): number[] =>
  readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && filesOf(name).includes(path))
    .map(Number)

const filesOf = (pid: string): string[] => {
  try {
    return readdirSync(`/proc/${pid}/fd`).map(fd => readlinkSync(`/proc/${pid}/fd/${fd}`))
  } catch {
    return [] // it ended meanwhile, or is not ours
  }
}

const tool = { file: 'tool', args: ['-x'], okCodes: [0, 3], timeoutMs: 1000, onAbort: 'finish' } as const
const run = async (code: number) =>
  await runLocked(fakeHost([{ run: locked('tool -x'), code }]), '/dev/loop7', tool, op)

it('a lock that another process keeps is worth a retry', async () => {
  await assert.rejects(run(75), failure('unavailable', /run tool on \/dev\/loop7: another tool holds its lock/))
})

it('the exit code of the tool passes through the lock', async () => {
  assert.equal((await run(3)).code, 3)
  await assert.rejects(run(4), failure('internal'))
})

describe('a lock whose file goes with it', () => {
  const isKept = async () => false

  it('that was removed while somebody waited for it is nobody’s, and is taken anew', async t => {
    const path = join(await temporaryFolder(t), 'locks', 'one')
    const real = localHost()
    const waiting = Promise.withResolvers<void>()
    const first = underLock(real, { path, isKept }, op, () => waiting.promise)
    await waitUntil('the first lock', () => existsSync(path))
    // In place of flock’s wait: it gets the lock of the file that the first one has removed by then.
    let tries = 0
    const hold: Host['hold'] = async (command, options) => {
      tries += 1
      if (tries > 1) return await real.hold(command, options)
      const file = openSync(path, 'r')
      try {
        waiting.resolve()
        await first
        // Somebody else has made another in its place.
        writeFileSync(path, '')
        const [script = '', name = ''] = command.args.map(String).slice(-2)
        const { status } = spawnSync('sh', ['-c', script, name], { stdio: ['pipe', 'pipe', 'pipe', file] })
        throw new CommandFailed({ asked: 'flock', found: '', next: '', code: status ?? undefined })
      } finally {
        closeSync(file)
      }
    }
    assert.equal(await underLock({ ...real, hold }, { path, isKept }, op, async () => 'done'), 'done')
    assert.equal(tries, 2)
    assert.equal(existsSync(path), false)
  })

  it('is given up when it is removed each time', async t => {
    const path = join(await temporaryFolder(t), 'one')
    const hold = () => Promise.reject(new CommandFailed({ asked: 'flock', found: '', next: '', code: 76 }))
    await assert.rejects(
      underLock({ ...fakeHost([]), hold }, { path, isKept }, op, () => assert.fail('it worked without the lock')),
      failure('unavailable', /again and again/),
    )
  })

  it('is had by each of many that want it at once, also by those that wait for others again and again', async t => {
    const path = join(await temporaryFolder(t), 'one')
    const order: string[] = []
    const one = async (name: number) => {
      for (const end of ['a', 'b', 'c'])
        await underLock(localHost(), { path, isKept }, op, async () => {
          order.push(`${name} begins`)
          await new Promise(resolve => setImmediate(resolve))
          order.push(`${name} ends ${end}`)
        })
    }
    await Promise.all([1, 2, 3, 4, 5, 6].map(one))
    const pairs = Array.from({ length: order.length / 2 }, (_, n) => [order[2 * n], order[2 * n + 1]] as const)
    assert.equal(pairs.length, 18)
    for (const [begins = '', ends = ''] of pairs) assert.equal(begins.split(' ')[0], ends.split(' ')[0])
    assert.deepEqual(readdirSync(dirname(path)), [])
  })

  it('is let go also when the file cannot be removed, which stays; what the work answers or throws passes', async t => {
    const path = join(await temporaryFolder(t), 'one')
    const lines: string[] = []
    const noted = { ...op, log: recordingLogger(lines) }
    const hung = async () => {
      throw new Error('the disk hangs')
    }
    const wish = { path, isKept: hung }
    assert.equal(await underLock(localHost(), wish, noted, async () => 'done'), 'done')
    assert.match(lines.join('\n'), /"warn".*the disk hangs.*the file of a lock stays/)
    const fails = async () => {
      throw new Error('the work failed')
    }
    await assert.rejects(underLock(localHost(), wish, op, fails), /the work failed/)
    const real = localHost()
    const files = { ...real.files, removeFile: hung }
    assert.equal(await underLock({ ...real, files }, { path, isKept }, op, async () => 'done'), 'done')
    assert.equal(existsSync(path), true)
    assert.equal(await underLock(real, { path, isKept, waitSeconds: 0 }, op, async () => 'again'), 'again')
    assert.equal(existsSync(path), false)
  })

  it('that ended before the work did makes its result worthless, but hides no error of the work', async t => {
    const path = join(await temporaryFolder(t), 'one')
    const lines: string[] = []
    const noted = { ...op, log: recordingLogger(lines) }
    const endLock = async () => {
      for (const pid of holdersOf(path)) process.kill(pid, 'SIGKILL')
    }
    await assert.rejects(underLock(localHost(), { path, isKept }, op, endLock), failure('unavailable', /it ended with/))
    const fails = async () => {
      await endLock()
      throw new Error('the work failed')
    }
    await assert.rejects(underLock(localHost(), { path, isKept }, noted, fails), /the work failed/)
    assert.match(lines.join('\n'), /"warn".*a lock ended before the work that needed it/)
  })

  it('is not waited for longer than its disk may take, nor by a caller who has gone', async t => {
    const path = join(await temporaryFolder(t), 'one')
    const asked: number[] = []
    const hold: Host['hold'] = async ({ timeoutMs }) => {
      asked.push(timeoutMs)
      return async () => undefined
    }
    await underLock({ ...fakeHost([]), hold }, { path, isKept }, op, async () => undefined)
    await underLock({ ...fakeHost([]), hold }, { path, isKept, waitSeconds: 0 }, op, async () => undefined)
    assert.deepEqual(asked, [15_000, 10_000])
    const never = () => assert.fail('it worked without the lock')
    const caller = new AbortController()
    await underLock(localHost(), { path, isKept }, op, async () => {
      const waiting = underLock(localHost(), { path, isKept, waitSeconds: 60 }, testOp(caller.signal), never)
      await waitUntil('two that have it open', () => holdersOf(path).length === 2)
      caller.abort()
      await assert.rejects(waiting, failure('cancelled'))
      assert.equal(holdersOf(path).length, 1)
    })
  })

  it('of a driver that was killed leaves nothing but its file, which the next one takes', async t => {
    const path = join(await temporaryFolder(t), 'locks', 'one')
    const script = `import('${import.meta.dirname}/flock.ts').then(async ({ underLock }) => {
      const { localHost } = await import('${import.meta.dirname}/../host/local.ts')
      const { SILENT, steady } = await import('${import.meta.dirname}/../volume/op.ts')
      await underLock(localHost(), { path: process.argv[1], isKept: async () => false }, steady({ log: SILENT }), () => {
        process.kill(process.pid, 'SIGKILL')
        return new Promise(() => undefined)
      })
    })`
    assert.equal(spawnSync(process.execPath, ['--eval', script, path]).signal, 'SIGKILL')
    assert.deepEqual(readdirSync(dirname(path)), ['one'])
    assert.equal(await underLock(localHost(), { path, isKept }, op, async () => 'done'), 'done')
    assert.deepEqual(readdirSync(dirname(path)), [])
  })
})
