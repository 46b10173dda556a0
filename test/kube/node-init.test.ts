// What the first process of a node makes of the host's mounts; containerd, its client and kubelet are played by scripts.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { temporaryFolder } from '../fixtures.ts'
import { PATIENCE_MS } from '../patience.ts'

const INIT = join(import.meta.dirname, '../../hack/kube/node-init.sh')
const PROGRAMS = {
  containerd: 'exec sleep 600',
  ctr: '',
  kubelet: 'cat /proc/self/mountinfo; echo end; exec sleep 600',
}
/** As on a machine whose programs, temporary files and users have filesystems of their own. */
const ON_MOUNTS = `
  mount --bind /usr /usr
  for name in temporary users foreign; do mount -t tmpfs tmpfs $name; done
  mkdir temporary/node temporary/kubelet temporary/other
  for name in kubelet other; do mount -t tmpfs tmpfs temporary/$name; done
  cp programs/kubelet users
  exec unshare --pid --fork --kill-child --mount-proc ${INIT} "$PWD/temporary/node" "$PWD/temporary/kubelet" "$PWD/users/kubelet"`

test('a node keeps the mounts of its folders and programs, and no others', { timeout: PATIENCE_MS }, async t => {
  const base = await temporaryFolder(t)
  for (const name of ['temporary', 'users', 'foreign', 'programs']) mkdirSync(join(base, name))
  for (const [name, script] of Object.entries(PROGRAMS))
    writeFileSync(join(base, 'programs', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  const child = spawn('unshare', ['--mount', '--propagation', 'private', 'sh', '-euc', ON_MOUNTS], {
    cwd: base,
    env: { PATH: `${join(base, 'programs')}:${process.env['PATH']}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  t.after(() => child.kill('SIGKILL'))
  const places: string[] = []
  for await (const line of createInterface({ input: child.stdout })) {
    if (line === 'end') break
    places.push(line.split(' ')[4] ?? '')
  }
  assert.ok(places.includes('/usr'))
  const kept = places.filter(place => place.startsWith(base)).map(place => place.slice(base.length))
  assert.deepEqual(kept.sort(), ['/temporary', '/temporary/kubelet', '/users'])
})
