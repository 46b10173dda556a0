// The controller of a storage host with a file pool and a target in memory.
import type { TestContext } from 'node:test'
import { ledgerOf } from '../src/controller/ledger.ts'
import { publishVolume } from '../src/controller/publish-volume.ts'
import type { ControllerSite } from '../src/controller/site.ts'
import { localHost } from '../src/host/local.ts'
import { filePool } from '../src/pools/file.ts'
import type { IscsiSettings } from '../src/schema/shapes/config.ts'
import { createExporter } from '../src/transports/iscsi/exporter.ts'
import type { Target } from '../src/transports/iscsi/target.ts'
import type { VolumeId } from '../src/volume/types.ts'
import { type FakeTarget, fakeTarget } from './fake-target.ts'
import { BLOCK, ISCSI, MIB, temporaryFolder, testOp } from './fixtures.ts'

const op = testOp()
export const NODE = 'a/iqn.2026-01.dev.ashlar:node.a'

export async function networkSite(
  t: TestContext,
  fake: FakeTarget = fakeTarget(),
  settings: Partial<IscsiSettings> = {},
) {
  return { fake, ...(await siteOf(await temporaryFolder(t), fake, settings)) }
}

/** The same with a pool in this folder, another target and other settings. */
export async function siteOf(path: string, target: Target, iscsi: Partial<IscsiSettings> = {}) {
  const host = localHost()
  const config = { type: 'file', path, overcommit: 1, sectorSize: 512 } as const
  const pool = await filePool.open(host, 'p', config)
  const pools = new Map([['p', pool]])
  const settings = { ...ISCSI, portals: ['10.0.0.1:3260'], ...iscsi }
  const site: ControllerSite = {
    pools,
    exporters: new Map([['iscsi', createExporter(host, settings, target, ledgerOf(pools))]]),
    defaultPool: 'p',
    defaultTransport: 'iscsi',
    segments: {},
    nodeId: 's',
    maxVolumesPerNode: 0,
  }
  const make = async (name: string): Promise<VolumeId> => {
    const spec = {
      id: pool.idFor(name),
      name,
      capabilities: [BLOCK],
      parameters: {},
      transport: 'iscsi',
      sectorSize: 512,
      segments: {},
    }
    return (await pool.create(spec, MIB, op)).id
  }
  const publish = (id: VolumeId, node = NODE) =>
    publishVolume(site, { id, node, capability: BLOCK, readonly: false }, op)
  return { site, pool, make, publish }
}
