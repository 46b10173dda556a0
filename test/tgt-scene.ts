// What tests of target `tgt` share: a document, a tgtd to apply it to, and what must be there afterwards.

import type { ExportDocument, Target } from '../src/transports/iscsi/target.ts'
import { tgt } from '../src/transports/iscsi/tgt.ts'
import { type FakeTarget, type FakeTgtd, fakeTgtd, Killed } from './fake-tgtd.ts'
import { GIB, MIB } from './fixtures.ts'

export const SERIAL = '0123456789abcdef'.repeat(2)
export const NAME = `iqn.2026-01.dev.ashlar:vol-fast-${SERIAL}`
export const PATH = '/srv/pool/data'
export const A = 'iqn.2026-01.dev.ashlar:node.a'
export const B = 'iqn.2026-01.dev.ashlar:node.b'

export function documentOf(
  initiators: readonly string[],
  rest: Partial<ExportDocument> = {},
  readonly = false,
  lun = 1,
): ExportDocument {
  const rights = initiators.map(initiator => ({ initiator, readonly, lun }))
  const backing = { path: PATH, size: GIB }
  return { target: NAME, serial: SERIAL, backing, sectorSize: 4096, portals: ['10.77.0.1:3260'], rights, ...rest }
}

export function scene(): { tgtd: FakeTgtd; target: Target; files: Map<string, bigint> } {
  const files = new Map([
    [PATH, GIB],
    ['/srv/other', 5n * MIB],
  ])
  const tgtd = fakeTgtd(path => files.get(path))
  return { tgtd, files, target: tgt.open(tgtd.host) }
}

/** What is there, without numbers that are drawn. */
export function facts(target: FakeTarget | undefined) {
  if (!target) return undefined
  const unit = target.units.get(1)
  return {
    ...target,
    tid: 0,
    acl: [...target.acl],
    nop: { ...target.nop },
    unit: { ...unit },
    units: [...target.units.keys()],
    sessions: target.sessions.length,
  }
}

export const whole = (acl: readonly string[], readonly = false) => ({
  tid: 0,
  name: NAME,
  nop: { nop_interval: '5', nop_count: '2' },
  units: [1],
  unit: { path: PATH, sn: SERIAL, id: SERIAL, blockSize: '4096', readonly, thin: true, size: GIB },
  acl,
  sessions: 0,
})

/** Kills the driver after its first change, then after its second, until it comes to its end; answers how often. */
export async function untilDone(tgtd: FakeTgtd, act: () => Promise<void>): Promise<number> {
  for (let n = 1; ; n += 1) {
    tgtd.killAfter(n)
    try {
      await act()
      return n
    } catch (error) {
      if (!(error instanceof Killed)) throw error
    } finally {
      tgtd.killAfter(undefined)
    }
  }
}
