// Opens the pools of the registry as two processes would, and makes the volumes and claims that their contract is about.
import assert from 'node:assert/strict'
import { open } from 'node:fs/promises'
import { it, type TestContext } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { localHost } from '../../src/host/local.ts'
import { POOLS } from '../../src/pools/index.ts'
import type { Pool } from '../../src/pools/pool.ts'
import type { AccessMode } from '../../src/volume/capability.ts'
import { DriverError, type ErrorKind } from '../../src/volume/errors.ts'
import { encodeVolumeId } from '../../src/volume/ids.ts'
import type { Claim, VolumeId, VolumeSpec } from '../../src/volume/types.ts'
import { MOUNT, temporaryFolder } from '../fixtures.ts'
import { POOL_FIXTURES, type PoolFixture } from './pool-fixtures.ts'

export const specOf = (name: string, rest: Partial<VolumeSpec> = {}): VolumeSpec => ({
  id: encodeVolumeId('p', name),
  name,
  capabilities: [MOUNT],
  parameters: { fsType: 'xfs' },
  transport: 'loop',
  sectorSize: 512,
  segments: { 'd/node': 'n1' },
  ...rest,
})
export const claimOf = (node: string, mode: AccessMode = 'SINGLE_NODE_WRITER'): Claim => ({
  node,
  readonly: false,
  capability: { ...MOUNT, mode },
  blank: true,
})
/** fulfilled, or the kind of the planned failure; anything else is thrown. */
export const endsOf = (results: readonly PromiseSettledResult<unknown>[]): ('fulfilled' | ErrorKind)[] =>
  results.map(each => {
    if (each.status === 'fulfilled') return 'fulfilled'
    if (each.reason instanceof DriverError) return each.reason.kind
    throw each.reason
  })
export const write = async (pool: Pool, id: VolumeId, text: string, position = 0) => {
  const file = await open((await pool.backing(id)).path, 'r+')
  await file.write(text, position)
  await file.close()
}
export const readBack = async (pool: Pool, id: VolumeId, length: number, position = 0): Promise<string> => {
  const file = await open((await pool.backing(id)).path, 'r')
  const { buffer } = await file.read(Buffer.alloc(length), 0, length, position)
  await file.close()
  return buffer.toString()
}

export interface Bench extends PoolFixture {
  /** Of the registry. */
  readonly type: string
  /** Two processes on one pool, as far as a pool can tell; `available` replaces what its filesystem has left. */
  openTwo(t: TestContext, place?: { available?: bigint; overcommit?: number }): Promise<Two>
}

export interface Two {
  readonly a: Pool
  readonly b: Pool
  readonly folder: string
  reopen(): Promise<Pool>
}

/** Defines the tests for every entry of the registry; an entry that cannot be tested fails. */
export function eachPool(define: (bench: Bench) => void): void {
  for (const [type, kind] of Object.entries(POOLS)) {
    const fixture = POOL_FIXTURES[type]
    if (!fixture) {
      it(`pool ${type} has an entry in test/contract/pool-fixtures.ts`, () => assert.fail('it has none'))
      continue
    }
    const openTwo = async (
      t: TestContext,
      { available, overcommit = 1 }: { available?: bigint; overcommit?: number } = {},
    ) => {
      const folder = await temporaryFolder(t)
      const real = localHost()
      const space = async () => ({ total: available ?? 0n, available: available ?? 0n })
      const host: Host = available === undefined ? real : { ...real, files: { ...real.files, space } }
      const reopen = () => kind.open(host, 'p', { ...fixture.config(folder), overcommit })
      return { a: await reopen(), b: await reopen(), folder, reopen }
    }
    define({ type, openTwo, ...fixture })
  }
}
