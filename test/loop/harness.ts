// One driver for a test file, volumes for each test, and the proof after each test that the driver left nothing behind.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { after, afterEach, beforeEach } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import { readConfig } from '../../src/app/config.ts'
import { controllerSite, hostOf, nodeSite } from '../../src/app/wire.ts'
import type { ControllerSite } from '../../src/controller/site.ts'
import type { Command, Host, Output } from '../../src/host/host.ts'
import type { NodeSite } from '../../src/node/site.ts'
import { answerOf } from '../../src/rpc/client.ts'
import { CommandFailed } from '../../src/volume/errors.ts'
import { PATIENCE_MS } from '../patience.ts'
import { Driver, type DriverOptions } from './driver.ts'
import { clear, loopsBelow, mountsBelow } from './machine.ts'
import { poolFilesystem } from './pool-filesystem.ts'
import { TestVolume, type VolumeOptions } from './volume.ts'

export type Code = keyof typeof status

/** The rejected call's error, after its code and message were checked. */
export const refused = async (
  call: Promise<unknown>,
  code: Code | readonly Code[],
  words?: RegExp,
): Promise<string> => {
  const codes = typeof code === 'string' ? [code] : code
  const error = await call.then(
    reply => assert.fail(`OK ${JSON.stringify(reply)}, expected ${codes.join(' or ')}`),
    (reason: unknown) => reason as { code?: number; details?: string },
  )
  if (error instanceof assert.AssertionError) throw error
  const details = error.details ?? String(error)
  assert.ok(
    codes.some(each => status[each] === error.code),
    `${status[error.code ?? -1]} "${details}", expected ${codes.join(' or ')}`,
  )
  if (words) assert.match(details, words)
  return details
}

/** The code of a call's end, as a name. */
export const outcome = async (call: Promise<unknown>): Promise<Code> =>
  await call.then(
    () => 'OK' as const,
    (error: unknown) => status[(error as { code?: number }).code ?? status.UNKNOWN] as Code,
  )

/**
 * Calls again while the answer says so, as an orchestrator does: a driver that has just started may be settling the volume,
 * and what hung or was killed may not have ended. Every other answer is the caller's.
 */
export const again = async <T>(call: () => Promise<T>): Promise<T> => {
  const deadline = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!['UNAVAILABLE', 'ABORTED'].includes(answerOf(error)?.name ?? '') || Date.now() > deadline) throw error
    }
    await sleep(100)
  }
}

export interface Bench {
  readonly driver: Driver
  /** A volume that the test may take through its life; it is taken down after the test, through the driver. */
  volume(options?: VolumeOptions): TestVolume
  /** A path in the work folder that no other test uses. */
  path(name: string): string
  /** Runs after the test, before its volumes are taken down; last one first. */
  defer(undo: () => unknown): void
}

/** What node:test hands to afterEach; @types/node does not know `passed` yet. */
interface Ended {
  passed: boolean
  diagnostic(message: string): void
}

/** A pool may be given by way of a symbolic link. */
const realPool = ({ pool }: Driver): string => (existsSync(pool) ? realpathSync(pool) : pool)

const placesIn = ({ pool }: Driver): string[] =>
  ['volumes', 'snapshots', 'groups', 'drafts', 'trash'].map(name => join(pool, name))

/** What the driver keeps when every volume is deleted: nothing. */
const leftovers = (driver: Driver): string[] => {
  const list = (folder: string) => (existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : [])
  return [
    ...mountsBelow(driver.folder).map(({ path }) => `mount ${path}`),
    ...[...loopsBelow(driver.folder), ...loopsBelow(join(realPool(driver), 'volumes'))].map(
      ({ path, backing }) => `${path} backed by ${backing}`,
    ),
    ...placesIn(driver).flatMap(list),
    ...list(driver.state).filter(path => basename(path) !== 'locks'),
    ...list(join(driver.state, 'locks')),
  ]
}

/** Starts a driver before the tests of the file and ends it after them. Each test fails that leaves something behind. */
export const useDriver = (options: DriverOptions = {}): Bench => {
  const driver = new Driver(options)
  let volumes: TestVolume[] = []
  let undos: (() => unknown)[] = []
  let count = 0

  const poolPlace = options.poolOn && poolFilesystem(driver, options.poolOn)
  let mark = 0
  // Not before(): that runs even when all tests of the file are filtered out, and after() does not.
  beforeEach(async () => {
    poolPlace?.make()
    await driver.start()
    mark = driver.log.length
  })
  afterEach(async context => {
    const [mine, undo] = [volumes, undos]
    volumes = []
    undos = []
    for (const each of undo.reverse()) await each()
    await takeDown(driver, context as unknown as Ended, mine, mark)
  })
  after(async () => {
    if (!driver.wasUsed) return
    const ends = await driver.end('SIGTERM')
    await driver.dismissSpares()
    const found = [...clear(driver.folder), ...(poolPlace?.remove() ?? [])]
    rmSync(driver.folder, { recursive: true })
    assert.deepEqual({ ends, found }, { ends: driver.roles.map(() => 'exit 0'), found: [] })
  })

  return {
    driver,
    volume(wanted = {}) {
      count += 1
      const staging = join(driver.folder, `s${count}`)
      mkdirSync(staging)
      // A volume’s id derives from its name, and its device is found by its id: other runs on this machine have others.
      const made = new TestVolume(driver, { name: `${basename(driver.folder)}-${count}`, staging, ...wanted })
      volumes.push(made)
      return made
    },
    path(name) {
      count += 1
      return join(driver.folder, `${name}-${count}`)
    },
    defer(undo) {
      undos.push(undo)
    },
  }
}

/** The last lines of the log that are worse than information, for whoever reads a failure. */
const complaints = (driver: Driver, since: number): string =>
  driver.log
    .slice(since)
    .split('\n')
    .filter(line => line !== '' && !/^\{"level":"(debug|info)"/.test(line))
    .slice(-10)
    .join('\n')

const takeDown = async (
  driver: Driver,
  context: Ended,
  volumes: readonly TestVolume[],
  mark: number,
): Promise<void> => {
  const problems: string[] = []
  if (!context.passed) context.diagnostic(`refusals and errors of the driver:\n${complaints(driver, mark)}`)
  for (const volume of volumes.toReversed()) {
    await again(() => volume.teardown()).catch((error: unknown) =>
      problems.push(`teardown of ${volume.name}: ${String(error)}`),
    )
  }
  const found = [...problems, ...leftovers(driver)]
  if (found.length === 0) return
  // The next test of the file begins with nothing, whatever this one did.
  await driver.kill()
  clear(driver.folder)
  for (const folder of [...placesIn(driver), driver.state]) rmSync(folder, { recursive: true, force: true })
  await driver.start()
  if (context.passed) assert.deepEqual(found, [], 'the driver left something behind')
}

export interface Sites {
  readonly node: NodeSite
  readonly controller: ControllerSite
  /** Every command that was asked for, also those that were not run. */
  readonly said: string[]
}

/** Answers a command in place of the machine, or undefined: then it runs. May do something first. */
export type Meddler = (text: string, command: Command) => Partial<Output> | undefined

/**
 * The flows of the driver in this process, on its pool and its journal, with somebody between them and the programs of
 * the machine: the driver itself runs programs from the system's own folders only.
 */
export const sitesOf = async ({ folder }: Driver, meddle: Meddler = () => undefined): Promise<Sites> => {
  const settings = readConfig(['--config', join(folder, 'all-in-one.json')], {})
  const real = hostOf(settings)
  const said: string[] = []
  const host: Host = {
    ...real,
    async run(command, op) {
      const text = [command.file, ...command.args.map(String)].join(' ')
      said.push(text)
      const answer = meddle(text, command)
      if (!answer) return await real.run(command, op)
      const { code = 0, stdout = '', stderr = '' } = answer
      if ((command.okCodes ?? [0]).includes(code)) return { code, stdout, stderr }
      throw new CommandFailed({ asked: text, found: `exit code ${code}: ${stderr}`, next: 'see the test', code })
    },
  }
  const controller = await controllerSite(host, settings)
  return { node: nodeSite(host, settings, controller), controller, said }
}
