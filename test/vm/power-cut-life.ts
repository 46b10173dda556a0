// Runs in a guest whose power is cut: brings up what earlier lives left, checks every acknowledged record, begins the next volume.
//
//   node test/vm/power-cut-life.ts NUMBER FSTYPE     ends only when the power goes
//   node test/vm/power-cut-life.ts NUMBER            checks the volumes 0..NUMBER-1, takes all down, asks the doctor
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { readConfig } from '../../src/app/config.ts'
import { controllerSite, hostOf, nodeSite } from '../../src/app/wire.ts'
import { createVolume } from '../../src/controller/create-volume.ts'
import { publishVolume as controllerPublish } from '../../src/controller/publish-volume.ts'
import { look } from '../../src/doctor/doctor.ts'
import { publishVolume, unpublishVolume } from '../../src/node/publish-volume.ts'
import { recover } from '../../src/node/recover.ts'
import { stageVolume } from '../../src/node/stage-volume.ts'
import { unstageVolume } from '../../src/node/unstage-volume.ts'
import type { FsType } from '../../src/volume/capability.ts'
import { SILENT } from '../../src/volume/op.ts'

const DISK = '/var/lib/power-cut'
const SHARE = '/lab/share/out'
const MIB = 1024n * 1024n
/** Empty after every boot, as the folders of pods are. */
const PODS = '/run/pods'
const RECORD = 512

const [count = '0', fsType] = process.argv.slice(2)
const settings = readConfig(
  [
    '--endpoint',
    'unix:///run/none.sock',
    '--node-id',
    'guest',
    '--pool-dir',
    join(DISK, 'pool'),
    '--state-dir',
    join(DISK, 'state'),
  ],
  {},
)
const host = hostOf(settings)
const controller = await controllerSite(host, settings)
const node = nodeSite(host, settings)
const op = { log: SILENT, signal: new AbortController().signal }

interface Volume {
  readonly id: string
  readonly staging: string
  readonly target: string
}

/** Every call may be a repeat of one that the power cut ended. */
async function up(number: number, as: FsType): Promise<Volume> {
  const capability = { access: 'mount', mode: 'SINGLE_NODE_WRITER', fsType: as, mountFlags: [] } as const
  const range = { required: (as === 'xfs' ? 320n : 64n) * MIB, limit: 0n }
  const name = `volume-${number}`
  const { id } = await createVolume(
    controller,
    { name, range, capabilities: [capability], parameters: {}, requisite: [] },
    op,
  )
  const publishContext = await controllerPublish(controller, { id, node: 'guest', capability, readonly: false }, op)
  const [staging, target] = [join(PODS, name, 'staging'), join(PODS, name, 'target')]
  mkdirSync(staging, { recursive: true })
  report(number, 'staging')
  await stageVolume(node, { id, stagingPath: staging, capability, publishContext, volumeContext: {} }, op)
  await publishVolume(
    node,
    { id, stagingPath: staging, targetPath: target, capability, readonly: false, publishContext, volumeContext: {} },
    op,
  )
  return { id, staging, target }
}

function report(number: number, phase: string): void {
  appendFileSync(join(SHARE, `phase-${number}`), `${phase}\n`)
}

function recordOf(number: number, sequence: number): Buffer {
  const text = `volume ${number} record ${sequence} `
  return Buffer.from(`${text}${createHash('sha256').update(text).digest('hex')}`.padEnd(RECORD, '.'))
}

function acknowledged(number: number): number {
  const path = join(SHARE, `acknowledged-${number}`)
  return existsSync(path) ? Number(readFileSync(path, 'utf8')) : 0
}

function check(number: number, { target }: Volume): void {
  const path = join(target, 'records')
  const bytes = existsSync(path) ? readFileSync(path) : Buffer.alloc(0)
  for (let sequence = 0; sequence < acknowledged(number); sequence += 1) {
    const found = bytes.subarray(sequence * RECORD, (sequence + 1) * RECORD)
    assert.ok(found.equals(recordOf(number, sequence)), `volume ${number} lost record ${sequence}`)
  }
}

function write(number: number, { target }: Volume): never {
  const file = openSync(join(target, 'records'), 'w')
  for (let sequence = 0; ; sequence += 1) {
    writeSync(file, recordOf(number, sequence), 0, RECORD, sequence * RECORD)
    fsyncSync(file)
    // Only now: the host may believe it.
    writeFileSync(join(SHARE, `acknowledged-${number}`), String(sequence + 1))
    if (sequence === 0) report(number, 'writing')
  }
}

await recover(node, op)
const kinds = readFileSync(join(SHARE, 'kinds'), 'utf8').split('\n') as FsType[]
for (let number = 0; number < Number(count); number += 1) {
  const volume = await up(number, kinds[number] ?? 'ext4')
  check(number, volume)
  await unpublishVolume(node, volume.id, volume.target, op)
  await unstageVolume(node, volume.id, volume.staging, op)
}
if (fsType !== undefined) write(Number(count), await up(Number(count), fsType as FsType))
const { problems, unseen } = await look({ controller, node }, op)
assert.deepEqual([problems, unseen], [[], []])
