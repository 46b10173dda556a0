// Tests of freezing: a filesystem that was frozen is thawed however the hold ends; thawing says whether it was frozen.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { failure, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { waitUntil } from '../../test/patience.ts'
import { fakeHost } from '../host/fake.ts'
import type { Held } from '../host/host.ts'
import { CommandFailed, Unavailable } from '../volume/errors.ts'
import { holdFrozen, thaw } from './freeze.ts'

const run = 'fsfreeze --unfreeze /m'

it('a filesystem is thawed whether it was frozen or not, and told apart', async () => {
  const frozen = fakeHost([{ run }])
  assert.equal(await thaw(frozen, '/m', testOp()), true)
  assert.equal(frozen.commands[0]?.onAbort, 'finish')
  const warm = fakeHost([{ run, code: 1, stderr: 'fsfreeze: /m: unfreeze failed: Invalid argument' }])
  assert.equal(await thaw(warm, '/m', testOp()), false)
})

it('an exit code that nobody gave a meaning is an error', async () => {
  await assert.rejects(thaw(fakeHost([{ run, code: 127 }]), '/m', testOp()), failure('internal'))
})

describe('a filesystem that is held frozen', () => {
  it('is refused when it cannot be frozen, and an error of the host stays what it is', async () => {
    const failing = (error: Error) => ({ ...fakeHost([]), hold: async () => await Promise.reject(error) })
    const asked = { asked: 'sh', found: 'it ended with 1', next: 'see the log' }
    const refused = failure('failed-precondition', /perhaps somebody else keeps it frozen/)
    await assert.rejects(holdFrozen(failing(new CommandFailed({ ...asked, code: 1 })), '/m', testOp()), refused)
    await assert.rejects(holdFrozen(failing(new Unavailable(asked)), '/m', testOp()), failure('unavailable'))
  })

  it('is thawed once more when the hold had ended before, and that is an error', async () => {
    const early = new Unavailable({ asked: 'sh', found: 'it ended with 124', next: 'call again' })
    const host = { ...fakeHost([{ run, code: 1 }]), hold: async () => async () => await Promise.reject(early) }
    const letGo = await holdFrozen(host, '/m', testOp())
    assert.equal(host.left(), 1)
    await assert.rejects(letGo(), early)
    assert.equal(host.left(), 0)
  })
})

/** The program that holds, with an fsfreeze that takes notes, and seconds of its own. */
async function keeper(t: TestContext, { freeze = '', seconds = '60' } = {}) {
  const folder = await temporaryFolder(t)
  const [note, fake] = [join(folder, 'note'), join(folder, 'fsfreeze')]
  writeFileSync(fake, `#!/bin/sh\necho "$1 $2" >>${note}\n[ "$1" != --freeze ] || { ${freeze || ':'}; }\n`)
  chmodSync(fake, 0o755)
  const commands: Held[] = []
  const host = {
    ...fakeHost([]),
    hold: async (given: Held) => {
      commands.push(given)
      return async () => undefined
    },
  }
  await holdFrozen(host, '/m', testOp())
  const [command] = commands
  assert.equal(command?.args.at(-1), '10')
  const args = [...command.args.slice(0, -1).map(String), seconds]
  const child = spawn(command.file, args, { env: { PATH: `${folder}:/usr/bin:/bin` }, stdio: 'pipe' })
  t.after(() => child.kill('SIGKILL'))
  child.stdin.write('\n')
  child.stdin.on('error', () => undefined)
  const echo = new Promise(resolve => child.stdout.once('data', resolve))
  const end = new Promise<number | null>(resolve => child.once('exit', resolve))
  const said = () => (existsSync(note) ? readFileSync(note, 'utf8') : '')
  const thawed = () => waitUntil('a thaw', () => said() === '--freeze /m\n--unfreeze /m\n')
  return { child, echo, end, said, thawed }
}

describe('the program that keeps a filesystem frozen', () => {
  it('thaws when its input ends, and succeeds then only', async t => {
    const { child, echo, end, said, thawed } = await keeper(t)
    await echo
    assert.equal(said(), '--freeze /m\n')
    child.stdin.end()
    assert.equal(await end, 0)
    await thawed()
  })

  it('thaws by itself when the time is up, and says that it did', async t => {
    const { end, thawed } = await keeper(t, { seconds: '0.3' })
    assert.equal(await end, 124)
    await thawed()
  })

  it('thaws when it is killed, as soon as nobody has its input', async t => {
    const { child, echo, end, thawed } = await keeper(t)
    await echo
    child.kill('SIGKILL')
    child.stdin.destroy()
    child.stdout.destroy()
    await end
    await thawed()
  })

  it('thaws when it is killed while it freezes, and nobody hears it any more', async t => {
    const { child, said, thawed } = await keeper(t, { freeze: 'sleep 0.5' })
    await waitUntil('it freezes', () => said() !== '')
    child.kill('SIGKILL')
    child.stdin.destroy()
    child.stdout.destroy()
    await thawed()
  })

  it('leaves what it could not freeze as it is: somebody else may have frozen it', async t => {
    const { end, said } = await keeper(t, { freeze: 'exit 1' })
    assert.equal(await end, 1)
    assert.equal(said(), '--freeze /m\n')
  })
})
