// Runs in a guest: the disk below one pool is suspended, and its volumes answer errors while those of the other pool work.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readConfig } from '../../src/app/config.ts'
import { controllerSite, hostOf, nodeSite } from '../../src/app/wire.ts'
import { createVolume } from '../../src/controller/create-volume.ts'
import { describeVolume } from '../../src/controller/list-volumes.ts'
import { publishVolume as controllerPublish } from '../../src/controller/publish-volume.ts'
import { publishVolume } from '../../src/node/publish-volume.ts'
import { stageVolume } from '../../src/node/stage-volume.ts'
import { volumeStats } from '../../src/node/volume-stats.ts'
import { failure, MIB, testOp } from '../fixtures.ts'
import { again } from './again.ts'

/** A disk of the guest's, below device-mapper, which can suspend it: dmsetup(8). */
const DISK = 'ashlar-suspended'
const STATS = 20

const run = (file: string, ...args: string[]): string => execFileSync(file, args, { encoding: 'utf8' }).trim()
const folder = mkdtempSync(join(tmpdir(), 'suspended-'))
const [dead, alive] = [join(folder, 'dead'), join(folder, 'alive')]
for (const path of [dead, alive]) mkdirSync(path)
run('truncate', '--size=2G', join(folder, 'disk'))
const loop = run('losetup', '--find', '--show', join(folder, 'disk'))
const sectors = run('blockdev', '--getsz', loop)
run('dmsetup', 'create', DISK, '--table', `0 ${sectors} linear ${loop} 0`)
run('dmsetup', 'mknodes')
run('mkfs.xfs', '-q', `/dev/mapper/${DISK}`)
run('mount', `/dev/mapper/${DISK}`, dead)

const pools = Object.fromEntries(
  Object.entries({ dead, alive }).map(([name, path]) => [name, { type: 'file', path: join(path, 'pool') }]),
)
const file = join(folder, 'config.json')
const ids = { nodeId: 'guest', endpoint: 'unix:///run/none.sock', stateDir: join(folder, 'state') }
writeFileSync(file, JSON.stringify({ ...ids, pools, defaultPool: 'alive' }))
const settings = readConfig(['--config', file], {})
const host = hostOf(settings)
const controller = await controllerSite(host, settings)
const node = nodeSite(host, settings)
const op = testOp()

async function up(pool: string): Promise<{ id: string; target: string }> {
  const capability = { access: 'mount', mode: 'SINGLE_NODE_WRITER', fsType: 'ext4', mountFlags: [] } as const
  const range = { required: 64n * MIB, limit: 0n }
  const spec = { name: pool, range, capabilities: [capability], parameters: { pool }, requisite: [] }
  const { id } = await createVolume(controller, spec, op)
  const publishContext = await controllerPublish(controller, { id, node: 'guest', capability, readonly: false }, op)
  const [staging, target] = [join(folder, `${pool}-staging`), join(folder, `${pool}-target`)]
  mkdirSync(staging)
  await stageVolume(node, { id, stagingPath: staging, capability, publishContext, volumeContext: {} }, op)
  await publishVolume(
    node,
    { id, stagingPath: staging, targetPath: target, capability, readonly: false, publishContext, volumeContext: {} },
    op,
  )
  return { id, target }
}

const [onDead, onAlive] = [await up('dead'), await up('alive')]
const statsOf = ({ id, target }: { id: string; target: string }) => volumeStats(node, id, target, op)
await Promise.all([onDead, onAlive].map(each => again(() => statsOf(each))))

run('dmsetup', 'suspend', '--nolockfs', DISK)
try {
  const onTheDead = Array.from({ length: 8 }, () => assert.rejects(statsOf(onDead), failure('unavailable')))
  for (let n = 0; n < STATS; n += 1) {
    // All questions together start more programs at once than one emulated processor gets through in their time.
    assert.equal((await again(() => statsOf(onAlive))).condition.abnormal, false)
    assert.equal((await again(() => describeVolume(controller, onAlive.id, op))).condition.abnormal, false)
  }
  await Promise.all(onTheDead)
  // The child of the first question still hangs: the next answer comes without another.
  await assert.rejects(statsOf(onDead), failure('unavailable', /still hangs in the kernel/))
} finally {
  run('dmsetup', 'resume', DISK)
}
for (;;) {
  // What hung ends on its own when the disk is back.
  const answer = await statsOf(onDead).catch(() => undefined)
  if (answer?.condition.abnormal === false) break
  await new Promise(resolve => setTimeout(resolve, 200))
}
