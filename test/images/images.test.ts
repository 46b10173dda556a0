// Both images, built for real and run as the chart's pods say: they start, answer, pass csi-sanity and write nothing into themselves.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { countResults, countsLine, writeReport } from '../layers/result.ts'
import { REPORT_DIRECTORY_ENV } from '../layers/table.ts'
import { driverConfig, NODE_ID } from '../sanity/combination.ts'
import { type DriverProcess, logTail, stopDriver, waitReady } from '../sanity/driver.ts'
import { runSanity, type SanityOptions } from '../sanity/run-sanity.ts'
import { Container, type Role } from './container.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const ALL_IN_ONE: Role = { name: 'all-in-one', profile: 'local', kind: 'DaemonSet', image: 'node' }
const CONTROLLER: Role = { name: 'controller', profile: 'iscsi-storage-host', kind: 'Deployment', image: 'controller' }
const NODE: Role = { name: 'node', profile: 'iscsi-storage-host', kind: 'DaemonSet', image: 'node' }

/** A shared mount, as a host's / is one: what a container mounts there shows outside. */
const folder = mkdtempSync(join(tmpdir(), 'ashlar-images-'))
/** Those of an earlier `hack/images/build --trees`, where the variable says so: a build takes minutes. */
const builtBefore = process.env['ASHLAR_IMAGE_TREES']
const trees = builtBefore ?? join(folder, 'trees')

const run = (file: string, ...args: readonly string[]): string => execFileSync(file, args, { encoding: 'utf8' })

const build = (...args: readonly string[]): string => run(join(ROOT, 'hack/images/build'), '--local-base', ...args)

let built = ''
before(() => {
  run('mount', '--bind', folder, folder)
  run('mount', '--make-shared', folder)
  if (builtBefore === undefined) built = build('--trees', trees)
})

after(() => {
  for (const container of started) container.remove()
  run('umount', folder)
  rmSync(folder, { recursive: true })
})

const started: Container[] = []
function start(directory: string, role: Role): { container: Container; driver: DriverProcess } {
  const container = new Container({ trees, directory }, role)
  started.push(container)
  // Over loop devices here: without a SAN the pod of a storage host differs in nothing but what it is told.
  const config = { ...driverConfig(directory, '/csi/csi.sock', role.name), stateDir: '/var/lib/ashlar/node' }
  return { container, driver: container.start(config, { NODE_ID }) }
}

/** MiB of a process: what it has in memory, and how much of that is not a part of a file, which the kernel can drop. */
function memoryOf(pid: number): { resident: number; anonymous: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const mib = (name: string) => Number(new RegExp(`^${name}: +(\\d+)`, 'm').exec(text)?.[1]) / 1024
  return { resident: mib('Rss'), anonymous: mib('Anonymous') }
}

/** Of what an image is: the digest of its configuration, which names those of its layers. */
const digestsIn = (text: string): string[] => text.match(/sha256:[0-9a-f]{64}/g) ?? []

if (builtBefore === undefined) {
  test('both are built, each with every program that it runs', t => {
    for (const line of built.trim().split('\n')) t.diagnostic(line)
    for (const image of ['controller', 'node']) assert.match(built, new RegExp(`^ashlar-${image}:.* MiB`, 'm'))
  })

  test('a second build of the same sources makes the same images', () => {
    const digests = digestsIn(built)
    assert.equal(digests.length, 2, built)
    assert.deepEqual(digestsIn(build()), digests)
  })
}

for (const role of [ALL_IN_ONE, CONTROLLER, NODE]) {
  test(`${role.name} starts, answers Probe, and ends when told`, async t => {
    const directory = mkdtempSync(join(folder, 'start-'))
    mkdirSync(join(directory, 'pool'))
    const startedAt = performance.now()
    const { container, driver } = start(directory, role)
    while (!existsSync(driver.socket) && driver.child.exitCode === null) await sleep(5)
    const tookMs = performance.now() - startedAt
    await waitReady(driver)
    // Idle: what a start left behind is collected by then.
    await sleep(2000)
    const { resident, anonymous } = memoryOf(container.pid)
    t.diagnostic(
      `${role.name}: ready after ${tookMs.toFixed(0)} ms with the container's own start, ${resident.toFixed(0)} MiB in memory, ${anonymous.toFixed(0)} of them of no file`,
    )
    const { output, code } = container.exec('touch', '/opt/ashlar/new')
    assert.deepEqual([code, /Read-only file system/.test(output)], [1, true], output)
    assert.equal(await stopDriver(driver), 'exit 0', logTail(driver))
    assert.equal(existsSync(driver.socket), false)
  })
}

const COMBINATIONS: readonly (SanityOptions & { roles: readonly Role[] })[] = [
  { mode: 'all-in-one', accessType: 'mount', fsType: 'xfs', roles: [ALL_IN_ONE] },
  { mode: 'split', accessType: 'block', roles: [CONTROLLER, NODE] },
]

for (const { roles, ...combination } of COMBINATIONS) {
  test(`csi-sanity passes against ${roles.map(each => each.name).join(' and ')}, ${combination.accessType}`, async t => {
    const results = await runSanity({
      ...combination,
      parent: folder,
      start: directory => roles.map(role => start(directory, role).driver),
    })
    const reports = process.env[REPORT_DIRECTORY_ENV]
    if (reports !== undefined)
      writeReport(join(reports, `${combination.mode}.json`), [{ layer: 'images', results, durationMs: 0 }])
    t.diagnostic(countsLine(countResults(results)))
    assert.ok(results.length > 90, `${results.length} results`)
    assert.deepEqual(
      results.filter(({ status }) => status === 'failed').map(({ name }) => name),
      [],
    )
  })
}
