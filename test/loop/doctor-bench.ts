// What the tests of `ashlar doctor` have in common: looks, repairs, and ways to disturb the machine.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync, truncateSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openSites } from '../../src/app/operator.ts'
import { look, mend, type Report } from '../../src/doctor/doctor.ts'
import { digest } from '../../src/volume/ids.ts'
import { SILENT } from '../../src/volume/op.ts'
import { useDriver } from './harness.ts'
import { backingOf, loopsBelow, mountsBelow, run, sha256 } from './machine.ts'
import { type Fields, MIB, type TestVolume, type VolumeOptions } from './volume.ts'

export const op = { log: SILENT, signal: new AbortController().signal }

/** "verdict kind name" of everything that is wrong. */
export const short = ({ problems, unseen }: Report): string[] => [
  ...problems.map(({ verdict, kind, name }) => `${verdict} ${kind} ${name}`).sort(),
  ...unseen.map(({ what }) => `unseen ${what}`),
]

export const attach = (path: string, ...flags: string[]): string =>
  run('losetup', '--find', '--show', ...flags, path).trim()

/** Fine if it is detached already. */
export const detach = (path: string): void => {
  if (backingOf(path) !== undefined) run('losetup', '--detach', path)
}

/** As if nobody had touched it for an hour. */
export const age = (path: string): void => {
  const old = new Date(Date.now() - 3_600_000)
  utimesSync(path, old, old)
}

/** A driver, and what its doctor says. */
export const useDoctor = () => {
  const bench = useDriver()
  const { driver } = bench
  const config = () => join(driver.folder, 'all-in-one.json')
  const sites = () => openSites(['--config', config()])

  const lookNow = async (): Promise<Report> => await look(await sites(), op)

  const troubles = async (): Promise<string[]> => short(await lookNow())

  /** What --repair did and did not do, and what is left. */
  const repairAll = async (): Promise<{ mended: string[]; failed: string[]; left: string[] }> => {
    const opened = await sites()
    const { mended, after } = await mend(opened, await look(opened, op), op)
    const names = (done: boolean) =>
      mended
        .filter(each => (each.failure === undefined) === done)
        .map(({ finding }) => `${finding.repair?.do} ${finding.name}`)
    return { mended: names(true), failed: names(false), left: short(after) }
  }

  /** The program as an operator calls it. */
  const doctor = (...flags: string[]) =>
    spawnSync(
      process.execPath,
      [join(import.meta.dirname, '../../src/bin/cli.ts'), 'doctor', '--config', config(), ...flags],
      {
        encoding: 'utf8',
      },
    )

  /** A loop device that is nobody's business but the test's. */
  const foreign = (): string => {
    const image = bench.path('foreign')
    writeFileSync(image, '')
    truncateSync(image, 64 * MIB)
    const path = attach(image)
    bench.defer(() => detach(path))
    return path
  }

  const noteOf = (volume: TestVolume): string => join(driver.state, `${digest(volume.id)}.json`)
  const editNote = (volume: TestVolume, change: (entry: Record<string, unknown>) => object): void => {
    const { version, entry } = JSON.parse(readFileSync(noteOf(volume), 'utf8')) as Record<
      string,
      Record<string, unknown>
    >
    writeFileSync(noteOf(volume), JSON.stringify({ version, entry: change(entry ?? {}) }))
  }
  const published = async (options: VolumeOptions = {}, over: Fields = {}) => {
    const volume = await bench.volume(options).up()
    const target = await volume.publishAt(bench.path('target'), over)
    return { volume, target }
  }

  /** Every file and every object of the kernel that a dry run could have changed. */
  const image = (): unknown => ({
    files: readdirSync(driver.folder, { recursive: true, encoding: 'utf8' })
      .filter(path => /^(pool|state)/.test(path))
      .map(path => join(driver.folder, path))
      .map(path => [path, statSync(path).isFile() ? sha256(path) : statSync(path).mtimeMs]),
    loops: loopsBelow(driver.folder),
    mounts: mountsBelow(driver.folder),
  })

  return { bench, driver, sites, lookNow, troubles, repairAll, doctor, foreign, noteOf, editNote, published, image }
}
