// A file pool on a host whose cp is held still, fails, or dies, and whose files can be cloned or not, whatever they lie on.
import { open, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import type { Command, Host } from '../src/host/host.ts'
import { localHost } from '../src/host/local.ts'
import { filePool } from '../src/pools/file.ts'
import type { CopySpec, Pool, Snapshots } from '../src/pools/pool.ts'
import { encodeVolumeId } from '../src/volume/ids.ts'
import type { Claim, ContentSource, VolumeId, VolumeSpec } from '../src/volume/types.ts'
import { GIB, MIB, MOUNT, temporaryFolder, testOp } from './fixtures.ts'

const op = testOp()
export const one = encodeVolumeId('p', 'one')
export const specOf = (name: string): VolumeSpec => ({
  id: encodeVolumeId('p', name),
  name,
  capabilities: [MOUNT],
  parameters: {},
  transport: 'loop',
  sectorSize: 512,
  segments: {},
})
export const copyOf = (name: string, contentSource: ContentSource): CopySpec => ({ ...specOf(name), contentSource })
export const claim: Claim = { node: 'n1', readonly: false, capability: MOUNT, blank: false }
export const unused = async () => undefined

/** What happens instead of, or before, a copy byte by byte. */
export type Meddler = (command: Command) => Promise<void>

export interface Lab {
  pool: Pool & { snapshots: Snapshots }
  at(...more: string[]): string
  /** Another process. */
  reopen(): Promise<Pool & { snapshots: Snapshots }>
  meddle: Meddler
  /** As FICLONE would do it, or refuse to. */
  clones: boolean
  cut(name?: string, source?: VolumeId): ReturnType<Snapshots['create']>
  restore(name: string, source: ContentSource, size?: bigint): ReturnType<Snapshots['createVolume']>
  read(id: VolumeId, length?: number, position?: number): Promise<string>
  write(id: VolumeId, text: string, position?: number): Promise<void>
}

export async function setUp(t: TestContext, { clones = false } = {}): Promise<Lab> {
  const folder = await temporaryFolder(t)
  const real = localHost()
  const lab = { clones, meddle: async () => undefined } as unknown as Lab
  // A test that fails must not be held still for ever by what it holds.
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  t.after(() => end())
  // Whatever else the disk of this machine is used for.
  const space = async () => ({ total: 64n * GIB, available: 64n * GIB })
  const host: Host = {
    ...real,
    files: { ...real.files, space },
    async run(command, given) {
      if (command.file !== 'cp') return await real.run(command, given)
      const isClone = command.args[0] === '--reflink=always'
      if (isClone && !lab.clones) return { code: 1, stdout: '', stderr: `cp: failed to clone: Operation not supported` }
      await Promise.race([lab.meddle(command), ended])
      return await real.run(
        { ...command, args: ['--reflink=never', '--sparse=always', ...command.args.slice(-3)] },
        given,
      )
    },
  }
  const config = { type: 'file', path: folder, overcommit: 1, sectorSize: 512 } as const
  const reopen = async () => (await filePool.open(host, 'p', config)) as Lab['pool']
  const pool = await reopen()
  await pool.create(specOf('one'), 16n * MIB, op)
  const at = (...more: string[]) => join(folder, ...more)
  Object.assign(lab, {
    pool,
    at,
    reopen,
    cut: (name = 'snap', source = one) =>
      pool.snapshots.create({ id: pool.snapshots.idFor(name), name, source }, unused, op),
    restore: (name: string, source: ContentSource, size = 16n * MIB) =>
      pool.snapshots.createVolume(copyOf(name, source), size, unused, op),
    read: async (id: VolumeId, length = 4, position = 0) =>
      (await readFile(at('volumes', id, 'data'))).subarray(position, position + length).toString(),
    async write(id: VolumeId, text: string, position = 0) {
      const file = await open(at('volumes', id, 'data'), 'r+')
      await file.write(text, position)
      await file.close()
    },
  } satisfies Partial<Lab>)
  await lab.write(one, 'then')
  return lab
}

export const holders = async ({ pool }: Lab, id = one) => (await pool.claims(id)).map(({ node }) => node)
export const places = async ({ at }: Lab) => [await readdir(at('drafts')), await readdir(at('trash'))]
