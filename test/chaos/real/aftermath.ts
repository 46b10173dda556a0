// What a run of the driver has left behind, and what `ashlar doctor` thinks of it.
import { execFile } from 'node:child_process'
import { existsSync, readdirSync, utimesSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Driver } from '../../loop/driver.ts'
import { loopsBelow, mountsBelow } from '../../loop/machine.ts'

const list = (folder: string): string[] =>
  existsSync(folder) ? readdirSync(folder).map(name => join(folder, name)) : []

/** What a killed CreateVolume or DeleteVolume left is swept by the next start once it is old: makes it old. */
export const ageDrafts = (driver: Driver): void => {
  const old = new Date(Date.now() - 3_600_000)
  for (const path of ['drafts', 'trash'].flatMap(name => list(join(driver.pool, name)))) utimesSync(path, old, old)
}

/** Everything of the driver that should be gone with its last volume. */
export const leftovers = (driver: Driver): string[] => [
  ...mountsBelow(driver.folder).map(({ path }) => `mount ${path}`),
  ...loopsBelow(driver.folder).map(({ path, backing }) => `${path} backed by ${backing}`),
  ...['volumes', 'drafts', 'trash'].flatMap(name => list(join(driver.pool, name))),
  // The empty files that serve as locks stay: removing one that another process waits for would give it to two.
  ...list(driver.state).filter(path => basename(path) !== 'locks'),
]

interface Finding {
  kind: string
  name: string
  verdict: string
  found: string
}

interface Report {
  problems: Finding[]
  ok: number
  unseen: { what: string; why: string }[]
}

const CLI = join(import.meta.dirname, '..', '..', '..', 'src', 'bin', 'cli.ts')

/** What doctor finds wrong with the driver's objects, in words, and how many it finds in order. */
export const askDoctor = async (driver: Driver): Promise<{ problems: string[]; ok: number }> => {
  const { promise, resolve } = Promise.withResolvers<{ stdout: string; stderr: string }>()
  const args = [CLI, 'doctor', '--config', driver.configFile('all-in-one'), '--json']
  execFile(process.execPath, args, (_, stdout, stderr) => resolve({ stdout, stderr }))
  const { stdout, stderr } = await promise
  try {
    const { problems, unseen, ok } = JSON.parse(stdout) as Report
    return {
      problems: [
        ...problems.map(({ kind, name, verdict, found }) => `doctor: ${kind} ${name} is ${verdict}: ${found}`),
        ...unseen.map(({ what, why }) => `doctor could not see ${what}: ${why}`),
      ],
      ok,
    }
  } catch {
    return { problems: [`doctor printed "${stdout}${stderr}"`], ok: 0 }
  }
}
