#!/usr/bin/env node
// What snapshots and clones of a large sparse volume cost beyond the clone of its file; printed as ratios to cp(1).
import { closeSync, existsSync, openSync, rmSync, statfsSync, unlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Driver } from '../../test/loop/driver.ts'
import { run } from '../../test/loop/machine.ts'
import { poolFilesystem } from '../../test/loop/pool-filesystem.ts'

const [GIB, MIB] = [2 ** 30, 2 ** 20]
const [SIZE, DATA, PIECES, ROUNDS] = [100 * GIB, GIB, 1024, 21]

const CAPABILITY = { block: {}, access_mode: { mode: 'SINGLE_NODE_WRITER' } }

/** Megabytes at places far from each other: as many extents. */
function fill(path: string): void {
  const file = openSync(path, 'r+')
  const piece = Buffer.alloc(DATA / PIECES, 0xa5)
  for (let n = 0; n < PIECES; n += 1) writeSync(file, piece, 0, piece.length, n * (SIZE / PIECES))
  closeSync(file)
  run('sync', path)
}

interface Cost {
  readonly all: number
  /** Of the clone of the file, and of what else was run: the data written back, and a look at what the copy holds. */
  readonly cp: number
  readonly tools: number
}

async function costOf(driver: Driver, work: () => Promise<void>): Promise<Cost> {
  const [mark, started] = [driver.log.length, performance.now()]
  await work()
  const all = performance.now() - started
  const lines = driver.log.slice(mark).split('\n').filter(Boolean)
  const commands = lines
    .map(line => JSON.parse(line) as { msg: string; command: string; ms: number })
    .filter(({ msg }) => msg === 'command')
  const sum = (isCounted: (command: string) => boolean) =>
    commands.filter(({ command }) => isCounted(command)).reduce((total, { ms }) => total + ms, 0)
  return { all, cp: sum(each => each.startsWith('cp ')), tools: sum(each => !each.startsWith('cp ')) }
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

/** In bytes; other writers on this filesystem there are none. */
const used = (path: string): number => {
  const { blocks, bfree, bsize } = statfsSync(path)
  return (blocks - bfree) * bsize
}

async function measure(driver: Driver): Promise<void> {
  const control = <T>(method: string, request: object) => driver.call<T>('Controller', method, request)
  const create = async (name: string, source?: object) => {
    const request = { name, capacity_range: { required_bytes: String(SIZE) }, volume_capabilities: [CAPABILITY] }
    const from = source && { volume_content_source: source }
    return (await control<{ volume: { volume_id: string } }>('CreateVolume', { ...request, ...from })).volume.volume_id
  }
  const id = await create('source')
  const data = join(driver.pool, 'volumes', id, 'data')
  fill(data)
  const [copy, before] = [join(driver.pool, 'plain'), used(driver.pool)]
  const costs = { snapshot: [] as Cost[], clone: [] as Cost[] }
  const plain: number[] = []
  let largest = 0
  for (let n = 0; n < ROUNDS; n += 1) {
    const started = performance.now()
    run('cp', '--reflink=always', '--', data, copy)
    plain.push(performance.now() - started)
    unlinkSync(copy)
    let [snapshot_id, clone] = ['', '']
    const cut = async () => {
      const request = { name: `s${n}`, source_volume_id: id }
      const { snapshot } = await control<{ snapshot: { snapshot_id: string } }>('CreateSnapshot', request)
      snapshot_id = snapshot.snapshot_id
    }
    const make = async () => {
      clone = await create(`c${n}`, { volume: { volume_id: id } })
    }
    costs.snapshot.push(await costOf(driver, cut))
    costs.clone.push(await costOf(driver, make))
    largest = Math.max(largest, used(driver.pool) - before)
    await control('DeleteSnapshot', { snapshot_id })
    await control('DeleteVolume', { volume_id: clone })
  }
  await control('DeleteVolume', { volume_id: id })
  const cp = median(plain)
  console.log(`a volume of ${SIZE / GIB} GiB with ${DATA / GIB} GiB in ${PIECES} extents, medians of ${ROUNDS}:`)
  console.log(`  cp --reflink ${cp.toFixed(1)} ms`)
  for (const [what, list] of Object.entries(costs)) {
    const of = (part: (cost: Cost) => number) => median(list.map(part)).toFixed(1)
    const times = (median(list.map(({ all }) => all)) / cp).toFixed(1)
    const parts = `cp ${of(cost => cost.cp)} ms, other programs ${of(cost => cost.tools)} ms`
    const own = of(cost => cost.all - cost.cp - cost.tools)
    console.log(`  ${what}: ${of(cost => cost.all)} ms, ${times} times cp: ${parts}, the driver itself ${own} ms`)
  }
  console.log(`  at most ${(largest / MIB).toFixed(1)} MiB more of the pool in use for both, metadata included`)
}

const driver = new Driver()
const place = poolFilesystem(driver, 'xfs')
place.make()
try {
  await driver.start()
  await measure(driver)
} finally {
  await driver.kill()
  place.remove()
  if (existsSync(driver.folder)) rmSync(driver.folder, { recursive: true })
}
