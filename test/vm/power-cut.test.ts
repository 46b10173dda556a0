// The power of a node is cut at random instants of formatting and writing, with a disk whose write cache is lost.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { cachePath } from '../../hack/cache.ts'
import { Lab } from '../../hack/lab/lab.ts'
import type { Machine } from '../../hack/lab/machine.ts'
import { installPrograms, programLine } from '../programs.ts'

const ROOT = join(import.meta.dirname, '../..')
const ROUNDS = Number(process.env['ASHLAR_ROUNDS'] ?? 4)
const SEED = Number(process.env['ASHLAR_SEED'] ?? Date.now() % 1_000_000)
/** The journal of this ext4 is what decides how long after a cut the pool is usable: mounted as every host would. */
const MOUNT = `modprobe loop; modprobe xfs; modprobe ext4; mkdir -p /var/lib/power-cut
blkid -p /dev/vdb >/dev/null || mkfs.xfs -q /dev/vdb
mountpoint -q /var/lib/power-cut || mount /dev/vdb /var/lib/power-cut`

/** Mulberry32: small, and the same everywhere. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const guestScript = (args: string): string =>
  [
    `export PATH=${ROOT}/node_modules/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    MOUNT,
    `exec ${programLine('power-cut-life')} ${args}`,
  ].join('\n')

async function succeed(machine: Machine, script: string): Promise<void> {
  const { code, stdout, stderr } = await machine.exec(script, { timeout: 3000 })
  assert.equal(code, 0, `${stdout}${stderr}`)
}

test(`no acknowledged record is lost in ${ROUNDS} power cuts, and every format comes to its end`, async context => {
  context.diagnostic(`reproduce with ASHLAR_SEED=${SEED} ASHLAR_ROUNDS=${ROUNDS} node test/run.ts vm --files power-cut`)
  const random = dice(SEED)
  const visible = [ROOT, cachePath()].filter(existsSync)
  const disks = [{ size: '6G', volatile: true }]
  const vms = { guest: { index: 1, memory: 1024, visible, disks, translationCache: 512 } }
  const lab = new Lab({ topology: { nets: [], vms }, attached: true })
  try {
    await lab.up()
    installPrograms(lab.share, ['test/vm/power-cut-life.ts'])
    const guest = lab.vm('guest')
    const out = join(lab.share, 'out')
    mkdirSync(out, { recursive: true })
    const kinds = Array.from({ length: ROUNDS }, () => (random() < 0.5 ? 'ext4' : 'xfs'))
    writeFileSync(join(out, 'kinds'), kinds.join('\n'))
    for (const [round, kind] of kinds.entries()) {
      // Half of the cuts while the volume is formatted and mounted, half while records are written.
      const phase = round % 2 === 0 ? 'staging' : 'writing'
      const life = { ended: '' }
      void guest.exec(guestScript(`${round} ${kind}`), { timeout: 3000 }).then(({ code, stdout, stderr }) => {
        life.ended = `exit ${code}: ${stdout}${stderr}`
      })
      const path = join(out, `phase-${round}`)
      while (!(existsSync(path) && readFileSync(path, 'utf8').includes(phase))) {
        assert.equal(life.ended, '', `round ${round} (${kind})`)
        await sleep(20)
      }
      await sleep(random() * (phase === 'staging' ? 4000 : 1000))
      context.diagnostic(`round ${round}: ${kind}, power cut while ${phase}`)
      await guest.crash()
      await guest.boot()
    }
    await succeed(guest, guestScript(String(ROUNDS)))
  } finally {
    await lab.down()
  }
})
