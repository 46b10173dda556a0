// Tests of what commands do on this machine beyond the contract: their processes, and that secrets stay secret.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { NOTE, pidIn, sh } from '../../test/contract/host-commands.ts'
import { failure, recordingLogger, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { waitUntil } from '../../test/patience.ts'
import { Secret } from '../volume/secret.ts'
import { localHost } from './local.ts'

const host = localHost()

describe('a command that must finish', () => {
  it('is not ended for what it prints, and the end of that is kept', async t => {
    const note = join(await temporaryFolder(t), 'note')
    const much = 'yes "$(printf %0999d 0)" | head -c 9000000'
    const script = `${much}; echo the end; echo done > "$1"`
    const { stdout } = await host.run(sh(script, { onAbort: 'finish' }, note), testOp())
    assert.equal(await readFile(note, 'utf8'), 'done\n')
    assert.ok(stdout.endsWith('0\nthe end\n'))
    assert.ok(stdout.length <= 4 * 1024 * 1024)
    await assert.rejects(host.run(sh(much), testOp()), failure('internal'))
  })

  it('is out of reach of signals to our process group', async () => {
    const group = async (onAbort: 'kill' | 'finish') =>
      (
        await host.run(sh('ps -o pgid= -p $$ 2>/dev/null || cut -d " " -f 5 /proc/$$/stat', { onAbort }), testOp())
      ).stdout.trim()
    assert.notEqual(await group('finish'), await group('kill'))
  })
})

describe('a program that is held', () => {
  it('that ended well, but by itself, is told of when it is let go', async t => {
    const note = join(await temporaryFolder(t), 'pid')
    const letGo = await host.hold(sh(`${NOTE}; head -n 1`, {}, note), testOp())
    // Gone, and not only a zombie: then this process has been told of its end.
    await waitUntil('its end', () => !existsSync(`/proc/${pidIn(note)}`))
    await assert.rejects(letGo(), failure('unavailable', /it ended with 0, and not because it was let go/))
  })

  it('that was killed a moment ago is told of too', async t => {
    const note = join(await temporaryFolder(t), 'pid')
    const letGo = await host.hold(sh(`${NOTE}; exec cat`, {}, note), testOp())
    process.kill(pidIn(note), 'SIGKILL')
    await assert.rejects(letGo(), failure('unavailable', /it ended with SIGKILL/))
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
