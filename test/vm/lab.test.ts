// Proves the VM lab itself: what a guest can do that this machine may not, and that no VM outlives its owner.
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Lab } from '../../hack/lab/lab.ts'
import { processesBelow } from '../../hack/lab/processes.ts'
import { judgeRun, PREFIX, removeAbandoned, removeRun } from '../../hack/lab/state.ts'
import { waitUntil } from '../patience.ts'
import { GUEST_DATA, GUEST_OUT, withGuest } from './guest.ts'

const ROOT = join(import.meta.dirname, '../..')
const CAP_SYS_RESOURCE = 1n << 24n // linux/capability.h
const TOPOLOGY = { nets: ['san0'], vms: { solo: { index: 1, memory: 256, disks: ['1G'] } } }

let scratch = ''
before(() => {
  scratch = mkdtempSync(join(realpathSync(tmpdir()), 'lab-test-'))
})
after(() => rmSync(scratch, { recursive: true, force: true }))

const exitOf = async (child: ChildProcess): Promise<number | NodeJS.Signals | null> =>
  await new Promise(resolve => child.once('exit', (code, signal) => resolve(signal ?? code)))

const script = (file: string, args: string[], env: Record<string, string>): ChildProcess =>
  spawn(process.execPath, [join(ROOT, file), ...args], { env: { ...process.env, ...env }, stdio: 'ignore' })

test('a guest', async t => {
  writeFileSync(join(scratch, 'file'), 'host\n')
  await withGuest(
    async guest => {
      const output = async (command: string): Promise<string> => {
        const { code, stdout, stderr } = await guest.run(command)
        assert.equal(code, 0, stderr)
        return stdout.trim()
      }

      await t.test('has CAP_SYS_RESOURCE, which growing a mounted ext4 takes', async () => {
        const mask = BigInt(`0x${await output("sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status")}`)
        assert.notEqual(mask & CAP_SYS_RESOURCE, 0n)
      })

      await t.test("runs the project's own Node.js in the project's root", async () => {
        assert.equal(await output('node -p "process.version + process.cwd()"'), `${process.version}${guest.root}`)
      })

      await t.test('has its data disk as xfs, and TMPDIR on it', async () => {
        assert.equal(await output('findmnt -n -o FSTYPE -T "$TMPDIR"'), 'xfs')
        assert.equal(await output('echo "$TMPDIR"'), GUEST_DATA)
      })

      await t.test('can load every module the driver asks of it', async () => {
        await output(
          'for name in loop ext4 xfs btrfs dm_thin_pool iscsi_tcp iscsi_target_mod; do modprobe $name || exit 1; done',
        )
      })

      for (const [type, grow] of [
        ['ext4', 'resize2fs "$device"'],
        ['xfs', 'xfs_growfs "$directory"'],
      ] as const) {
        await t.test(`grows a mounted ${type} on a loop device`, async () => {
          const sizes = await output(`set -e
          directory=$TMPDIR/${type}; mkdir -p $directory; file=$directory.img
          truncate -s 512M $file
          device=$(losetup --find --show --direct-io=on $file)
          mkfs.${type} -q $device
          mount $device $directory
          df -B1 --output=size $directory | tail -n 1
          truncate -s 1G $file
          losetup --set-capacity $device
          ${grow} >/dev/null
          df -B1 --output=size $directory | tail -n 1
          umount $directory
          losetup --detach $device`)
          const [before = 0, after = 0] = sizes.split('\n').map(Number)
          assert.ok(before > 400e6 && before < 537e6, sizes)
          assert.ok(after > 900e6, sizes)
        })
      }

      await t.test('passes exit codes, both outputs and standard input', async () => {
        const result = await guest.run('cat; echo problem >&2; exit 37', { stdin: 'two\nlines' })
        assert.deepEqual(result, { code: 37, stdout: 'two\nlines', stderr: 'problem\n' })
      })

      await t.test('hands output over while the command runs', async () => {
        let seen = ''
        let release: () => void = () => {}
        const first = new Promise<void>(resolve => {
          release = resolve
        })
        const onStdout = (chunk: Buffer): void => {
          seen += chunk.toString()
          release()
        }
        const running = guest.run('echo first; while ! [ -e /tmp/go ]; do sleep 0.1; done; echo second', { onStdout })
        await first
        assert.equal(seen, 'first\n')
        await guest.run('touch /tmp/go')
        assert.equal((await running).code, 0)
        assert.equal(seen, 'first\nsecond\n')
      })

      await t.test('ends a command and its descendants after the timeout', async () => {
        const { code } = await guest.run('setsid sleep 4711 & sleep 4711', { timeout: 2 })
        assert.equal(code, 124)
        assert.equal(await output("grep -lzx '471[1]' /proc/[0-9]*/cmdline || true"), '')
      })

      await t.test('ends a command when it is told to', async () => {
        const stop = new AbortController()
        const running = guest.run('echo up; sleep 4712', {
          signal: stop.signal,
          onStdout: () => stop.abort(new Error('no')),
        })
        await assert.rejects(running, /^Error: no$/)
        assert.equal(await output("grep -lzx '471[2]' /proc/[0-9]*/cmdline || true"), '')
      })

      await t.test('sees what the host has below /tmp, and changes nothing there', async () => {
        const command = `cat ${scratch}/file; echo changed >${scratch}/file; cat ${scratch}/file`
        assert.equal(await output(command), 'host\nchanged')
        assert.equal(readFileSync(join(scratch, 'file'), 'utf8'), 'host\n')
      })

      await t.test('gives files back', async () => {
        await output(`echo kept >${GUEST_OUT}/file`)
        guest.fetch(join(scratch, 'out'))
        assert.equal(readFileSync(join(scratch, 'out/file'), 'utf8'), 'kept\n')
      })

      await t.test('reports a VM that dies under a command', async () => {
        const running = guest.run('echo up; sleep 4713', { onStdout: () => void guest.machine.crash() })
        assert.equal((await running).code, 125)
      })
    },
    { visible: [scratch] },
  )
})

test('the next up takes down what a killed up left', async () => {
  const directory = join(scratch, 'killed')
  const topologyFile = join(scratch, 'topology.json')
  writeFileSync(topologyFile, JSON.stringify(TOPOLOGY))
  const run = join(directory, 'run')
  const first = script('hack/lab/cli.ts', ['up'], { LAB_DIR: directory, LAB_TOPOLOGY: topologyFile })
  const lab = new Lab({ directory, topology: TOPOLOGY })
  try {
    await waitUntil('a VM', () => existsSync(join(run, 'solo/pid')) && processesBelow(run).length > 0)
    assert.equal(judgeRun(run), 'busy')
    await assert.rejects(lab.up(), new RegExp(`process ${first.pid} has a lab`))
    const ended = exitOf(first)
    first.kill('SIGKILL')
    await ended
    const [old] = processesBelow(run)
    assert.ok(old !== undefined, 'the VM of a lab that was to stay lives on')
    assert.equal(judgeRun(run), 'leftover')

    await lab.up()
    assert.deepEqual(processesBelow(run), [lab.vm('solo').pid])
    assert.notEqual(lab.vm('solo').pid, old)
    assert.equal((await lab.vm('solo').exec('exit 3')).code, 3)

    await lab.vm('solo').crash()
    assert.equal(judgeRun(run), 'usable', 'a VM that was crashed on purpose keeps its disks')
    await lab.vm('solo').boot()
    const [pid] = processesBelow(run)
    assert.ok(pid !== undefined)
    process.kill(pid, 'SIGKILL')
    await waitUntil('the end of the VM', () => processesBelow(run).length === 0)
    assert.equal(judgeRun(run), 'leftover', 'a run directory with dead processes')
  } finally {
    first.kill('SIGKILL')
    await lab.down()
  }
  assert.equal(existsSync(run), false)
})

const startGuest = async (parent: string): Promise<{ child: ChildProcess; run: string }> => {
  const child = script('test/vm/run-in-guest.ts', ['--memory', '512', '--', 'sleep 600'], { TMPDIR: parent })
  let run = ''
  await waitUntil('a VM', () => {
    const name = readdirSync(parent).find(entry => entry.startsWith(PREFIX))
    run = join(parent, name ?? '', 'run')
    return name !== undefined && existsSync(join(run, 'guest/mail/ready'))
  })
  return { child, run }
}

test('a guest ends with its owner', async t => {
  await t.test('when that is killed, and what stays on disk is found', async () => {
    const parent = mkdtempSync(join(scratch, 'k-'))
    const { child, run } = await startGuest(parent)
    const other = await removeAbandoned(parent)
    assert.deepEqual(other, [], 'a lab in use stays')
    child.kill('SIGKILL')
    try {
      await waitUntil('the end of the VM', () => processesBelow(run).length === 0)
      // The killed owner itself may take a moment longer than its VM.
      await waitUntil('a judgement', () => judgeRun(run) === 'leftover')
    } finally {
      await removeAbandoned(parent)
      await removeRun(run)
    }
    assert.deepEqual(readdirSync(parent), [])
  })

  await t.test('when that is told to end', async () => {
    const parent = mkdtempSync(join(scratch, 't-'))
    const { child, run } = await startGuest(parent)
    const ended = exitOf(child)
    child.kill('SIGTERM')
    assert.equal(await ended, 143)
    assert.deepEqual(processesBelow(run), [])
    assert.deepEqual(readdirSync(parent), [])
  })
})
