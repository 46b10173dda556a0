// Shells that stay on a machine behind ssh: one command after the other, and no trace of one in the next.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { it } from 'node:test'
import { Secret } from '../../src/volume/secret.ts'
import { isAlive, sh } from '../contract/host-commands.ts'
import { failure, testOp } from '../fixtures.ts'
import { waitUntil } from '../patience.ts'
import { farHost } from './far-host.ts'

const far = farHost()

const processes = (pattern: string): string[] => {
  const { stdout } = spawnSync('pgrep', ['-f', pattern], { encoding: 'utf8' })
  return stdout.split('\n').slice(0, -1)
}
/** The process of the shell that serves over there: it leads a session. */
const session = async (): Promise<string> =>
  (await far.host.run(sh('cut -d" " -f6 /proc/self/stat'), testOp())).stdout.trim()
const answer = async (script: string, options: Parameters<typeof sh>[1] = {}) =>
  (await far.host.run(sh(script, options), testOp())).stdout

it('one serves one command after the other', async () => {
  const first = await session()
  for (let n = 0; n < 5; n += 1) assert.equal(await session(), first)
})

it('input that a command leaves does not reach the next, nor does its folder, its variables or its end', async () => {
  const much = 'echo wrong\n'.repeat(100_000)
  assert.equal(await answer('true', { stdin: much }), '')
  assert.equal(await answer('head -n 1', { stdin: new Secret(much) }), 'echo wrong\n')
  assert.equal(await answer('cd /tmp; X=1; exec 1>&2; exit'), '')
  assert.equal(await answer('pwd; echo "$X"; cat'), `${await answer('pwd')}\n`)
})

it('whatever bytes go there come back', async () => {
  const bytes = Array.from({ length: 4096 }, (_, n) => String.fromCharCode(n % 256)).join('')
  const encoded = Buffer.from(bytes, 'latin1').toString('base64')
  assert.equal(await answer('base64 -d', { stdin: encoded, encoding: 'latin1' }), bytes)
  assert.equal(await answer('cat', { stdin: 'a\0b\n\nä\n\n' }), 'a\0b\n\nä\n\n')
})

it('of one that is killed the command ends at its deadline, and the next has another', async () => {
  const victim = await session()
  const running = assert.rejects(
    answer('echo; sleep 60', { timeoutMs: 6000 }),
    failure('unavailable', /no answer within 6000 ms/),
  )
  await waitUntil('its command', () => processes('^sleep 60$').length > 0)
  process.kill(Number(victim), 'SIGKILL')
  await running
  assert.deepEqual(processes('^sleep 60$'), [])
  assert.notEqual(await session(), victim)
})

it('a command that prints without end is ended', async () => {
  await assert.rejects(answer('exec cat /dev/zero'), failure('internal', /prints without end/))
  assert.equal(await answer('echo on'), 'on\n')
})

it('none keeps a process alive that has nothing more to ask', async () => {
  const asker = join(import.meta.dirname, 'ssh-asker.ts')
  const env = { ...process.env, SSH_SETTINGS: JSON.stringify(far.sshd.settings) }
  const { status, stdout } = spawnSync(process.execPath, [asker], { env, encoding: 'utf8', timeout: 40_000 })
  assert.deepEqual([status, stdout], [0, 'Linux\n'])
})

it('all end when the connection is closed, and there are never more than four', async () => {
  const numbers = Array.from({ length: 8 }, (_, n) => n)
  const answers = await Promise.all(numbers.map(n => answer(`sleep 0.5; echo ${n} $(cut -d" " -f6 /proc/self/stat)`)))
  const pairs = answers.map(each => each.trim().split(' ').map(Number))
  assert.deepEqual(
    pairs.map(([n]) => n),
    numbers,
  )
  const stayed = new Set(pairs.flatMap(([, pid]) => (pid !== undefined && isAlive(pid) ? [pid] : [])))
  assert.equal(stayed.size, 4)
  await far.host.close()
  for (const pid of stayed) await waitUntil('its end', () => !isAlive(pid))
  assert.equal(await answer('echo again'), 'again\n')
})
