// Tests of locks: a held lock is worth a retry, and a tool's own exit code passes through.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, it } from 'node:test'
import { failure, locked, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { waitUntil } from '../../test/patience.ts'
import { fakeHost } from '../host/fake.ts'
import type { Host } from '../host/host.ts'
import { localHost } from '../host/local.ts'
import { CommandFailed } from '../volume/errors.ts'
import { runLocked, underLock } from './flock.ts'

const op = testOp()
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
