// One volume from CreateVolume to DeleteVolume while the driver dies again and again, with a workload that checks.
import { execFile } from 'node:child_process'
import { mkdirSync, rmdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import type { Driver } from '../../loop/driver.ts'
import { hasSysResource, loopsBelow, mountsAt, mountsBelow } from '../../loop/machine.ts'
import { MIB, TestVolume } from '../../loop/volume.ts'
import { diceOf } from './dice.ts'
import { type Ledger, lostRecords, startWriter, type Writer } from './records.ts'
import { nameOf, persist, type Retries, Surprise, wordsOf } from './retry.ts'

/** What one life holds; a function of the seed, the lane and the number of the life. */
export interface LifePlan {
  readonly as: 'ext4' | 'xfs' | 'block'
  /** Records that each stay on the node acknowledges at least. */
  readonly records: readonly number[]
  readonly expands: boolean
  readonly statsCalls: number
  /** Repeats each call that succeeded once more, as an orchestrator that lost the answer. */
  readonly repeats: boolean
  /** Tries once to get the volume to the node, and takes it back whatever that was answered, as for a pod that was deleted. */
  readonly givesUp: boolean
  /** Lets e2fsck or xfs_repair look at the volume after its last stay. */
  readonly examined: boolean
}

export interface Tally {
  lives: number
  acknowledged: number
  verified: number
  readonly lost: string[]
  readonly surprises: string[]
  readonly retries: Retries
}

const FIRST_RECORDS: readonly [number, number] = [5, 60]
/** A mounted ext4 grows only with CAP_SYS_RESOURCE. */
const CAN_GROW_EXT4 = hasSysResource()

export const planLife = (seed: number, lane: number, life: number): LifePlan => {
  const dice = diceOf(seed, 'life', lane, life)
  const as = dice.pick(['ext4', 'xfs', 'block', 'block'])
  const stays = dice.chance(0.4) ? 2 : 1
  return {
    as,
    records: Array.from({ length: stays }, () => dice.between(...FIRST_RECORDS)),
    expands: dice.chance(0.3) && (as !== 'ext4' || CAN_GROW_EXT4),
    statsCalls: dice.between(0, 1),
    repeats: dice.chance(0.1),
    givesUp: dice.chance(0.15),
    examined: dice.chance(0.2),
  }
}

export interface Life {
  readonly driver: Driver
  readonly name: string
  readonly plan: LifePlan
  readonly tally: Tally
  /** Called while the volume is published and written to, in its last stay. */
  readonly atHome?: (volume: TestVolume) => Promise<void>
}

/** Throws a Surprise for what must not happen; lost records are counted in the tally. */
export const live = async ({ driver, name, plan, tally, atHome }: Life): Promise<void> => {
  const staging = join(driver.folder, `s-${name}`)
  const target = join(driver.folder, `t-${name}`)
  const volume = new TestVolume(driver, { name: `${basename(driver.folder)}-${name}`, staging, as: plan.as })
  const steps = stepsOf(volume, plan, tally)
  await steps('create', () => volume.create())
  await steps('controller publish', () => volume.publish())
  mkdirSync(staging)
  const ledger: Ledger = { volume: volume.id, acknowledged: 0 }
  if (plan.givesUp) {
    await once('stage', volume, tally, () => volume.stage())
    await once('publish', volume, tally, () => volume.publishAt(target))
    await leave({ driver, volume, target, steps })
  }
  for (const [stay, records] of (plan.givesUp ? [] : plan.records).entries()) {
    await steps('stage', () => volume.stage())
    await steps('publish', () => volume.publishAt(target))
    requirePublished(volume, target, plan.as)
    const path = plan.as === 'block' ? target : join(target, 'records')
    await verify(path, ledger, tally)
    const writer = startWriter(path, ledger, plan.as === 'block' ? 'block' : 'mount')
    try {
      await beUsed({ volume, target, plan, steps, writer, until: ledger.acknowledged + records })
      if (atHome && stay === plan.records.length - 1) await atHome(volume)
    } finally {
      await writer.stop()
    }
    await verify(path, ledger, tally)
    await leave({ driver, volume, target, steps })
  }
  tally.acknowledged += ledger.acknowledged
  if (plan.as === 'block') await verify(volume.data, ledger, tally)
  else if (plan.examined && !plan.givesUp) await examine(volume.data, plan.as)
  await steps('controller unpublish', () => volume.unpublish())
  // Also what a child of a dead driver brought about after the last answer.
  requireGone(driver, volume, target)
  await steps('delete', () => volume.delete())
  rmdirSync(staging)
  tally.lives += 1
}

type Steps = <T>(what: string, call: () => Promise<T>) => Promise<T>

const stepsOf =
  (volume: TestVolume, { repeats }: LifePlan, { retries }: Tally): Steps =>
  async (what, call) => {
    const named = `${what} ${volume.id || volume.name}`
    const answer = await persist(named, retries, call)
    return repeats ? await persist(`${named}, again`, retries, call) : answer
  }

/** One call, whose answer decides nothing; only a bug may not be answered. */
const once = async (
  what: string,
  { id }: TestVolume,
  { retries }: Tally,
  call: () => Promise<unknown>,
): Promise<void> => {
  try {
    await call()
  } catch (error) {
    const name = nameOf(error)
    retries.set(name, (retries.get(name) ?? 0) + 1)
    if (name === 'INTERNAL' || name === 'UNKNOWN') throw new Surprise(`${what} ${id}, once: ${name} ${wordsOf(error)}`)
  }
}

interface Stats {
  volume_condition?: { abnormal: boolean; message: string } | null
}

interface Use {
  readonly volume: TestVolume
  readonly target: string
  readonly plan: LifePlan
  readonly steps: Steps
  readonly writer: Writer
  readonly until: number
}

/** What an orchestrator does while the workload writes. */
const beUsed = async ({ volume, target, plan, steps, writer, until }: Use): Promise<void> => {
  for (let n = 0; n < plan.statsCalls; n += 1) {
    const { volume_condition: condition } = await steps('stats', () => volume.stats<Stats>(target))
    if (condition?.abnormal === true) throw new Surprise(`${volume.id} is abnormal: ${condition.message}`)
  }
  if (plan.expands) {
    const wanted = volume.size + 32 * MIB
    const size = await steps('controller expand', () => volume.expand(wanted))
    const grown = await steps('expand', () => volume.expandOnNode(target))
    if (size !== wanted || grown < wanted) throw new Surprise(`${volume.id}: asked for ${wanted} bytes, got ${grown}`)
  }
  await writer.reached(until)
}

const verify = async (path: string, ledger: Ledger, tally: Tally): Promise<void> => {
  tally.lost.push(...(await lostRecords(path, ledger)))
  tally.verified += ledger.acknowledged
}

/** OK means observed: one mount at each path, and one loop device. */
const requirePublished = (volume: TestVolume, target: string, as: LifePlan['as']): void => {
  const found = {
    device: loopsBelow(volume.data).length,
    staging: mountsAt(volume.staging).map(({ fsType }) => fsType),
    target: mountsAt(target).map(({ fsType }) => fsType),
  }
  const wanted = { device: 1, staging: as === 'block' ? [] : [as], target: [as === 'block' ? 'devtmpfs' : as] }
  if (JSON.stringify(found) === JSON.stringify(wanted)) return
  throw new Surprise(`${volume.id} is published, but there is ${JSON.stringify(found)}`)
}

const leave = async ({
  driver,
  volume,
  target,
  steps,
}: Pick<Use, 'volume' | 'target' | 'steps'> & { driver: Driver }) => {
  await steps('unpublish', () => volume.unpublishAt(target))
  await steps('unstage', () => volume.unstage())
  requireGone(driver, volume, target)
}

const requireGone = (driver: Driver, volume: TestVolume, target: string): void => {
  const found = [
    ...loopsBelow(volume.data).map(({ path }) => path),
    ...mountsBelow(driver.folder)
      .map(({ path }) => path)
      .filter(path => path === volume.staging || path === target),
  ]
  if (found.length > 0) throw new Surprise(`${volume.id} is unstaged, but there is ${found.join(', ')}`)
}

const run = promisify(execFile)

/** Looks with the filesystem's own tool, which changes nothing. */
const examine = async (file: string, fsType: 'ext4' | 'xfs'): Promise<void> => {
  try {
    await (fsType === 'ext4' ? run('e2fsck', ['-f', '-n', file]) : run('xfs_repair', ['-n', '-f', file]))
  } catch (error) {
    const { message, stdout } = error as Error & { stdout?: string }
    throw new Surprise(`${file} is not clean: ${message}\n${stdout}`)
  }
}
