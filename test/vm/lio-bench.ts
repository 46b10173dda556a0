// What the tests of LIO in a guest share: the target, its initiators, and volumes for it.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { localHost } from '../../src/host/local.ts'
import { lio } from '../../src/transports/iscsi/lio.ts'
import { serialOf, targetName } from '../../src/transports/iscsi/names.ts'
import type { Chap, ExportDocument, Right } from '../../src/transports/iscsi/target.ts'
import { MIB, testOp } from '../fixtures.ts'
import { dying } from './dying-host.ts'
import { PORTAL } from './lio-initiator.ts'

export const CONFIG = '/sys/kernel/config/target'
export const HBA = `${CONFIG}/core/fileio_1095977042`
export const [A, B] = ['iqn.2026-01.dev.ashlar:node.a', 'iqn.2026-01.dev.ashlar:node.b'] as const
export const FOLDER = join(process.env['TMPDIR'] ?? '/tmp', 'lio')
export const op = testOp()
export const host = localHost()
export const target = lio.open(host)
export const nodes = target.nodes ?? assert.fail('LIO has no targets of nodes')

export const run = (file: string, ...args: string[]): string => execFileSync(file, args, { encoding: 'utf8' }).trim()
export const read = (path: string): string => readFileSync(path, 'utf8').trim()
export const tree = (): string => run('find', CONFIG, '-mindepth', '1')
/** As the driver chooses one: of 31 bits. */
export const LUN = 2_000_000_011
export const writer = (initiator: string, chap?: Chap): Right => ({
  initiator,
  readonly: false,
  lun: LUN,
  ...(chap && { chap }),
})
export const reader = (initiator: string): Right => ({ initiator, readonly: true, lun: LUN })

export function volume(n: number, size = 64n * MIB, rights: readonly Right[] = [writer(A)]): ExportDocument {
  const id = `vol-p-${String(n).padStart(32, 'a')}`
  const path = join(FOLDER, `${id}.data`)
  writeFileSync(path, '')
  truncateSync(path, Number(size))
  const names = { target: targetName(id), serial: serialOf(id) }
  return { ...names, backing: { path, size }, sectorSize: 4096, portals: [PORTAL, '[::1]:3260'], rights }
}

export async function isKilled(n: number, work: (on: typeof target) => Promise<void>): Promise<boolean> {
  const { host: mortal, isDead } = dying(host, n)
  try {
    await work(lio.open(mortal))
    return false
  } catch (error) {
    if (isDead()) return true
    throw error
  }
}
