// A controller whose volumes are of this host, with the pools and the exporter of a test.
import type { ControllerSite } from '../src/controller/site.ts'
import type { Pool } from '../src/pools/pool.ts'
import type { Exporter } from '../src/transports/transport.ts'

export function loopSite(pools: ReadonlyMap<string, Pool>, exporter: Exporter): ControllerSite {
  return {
    pools,
    exporters: new Map([['loop', exporter]]),
    defaultPool: 'p',
    defaultTransport: 'loop',
    segments: {},
    nodeId: 'n1',
    maxVolumesPerNode: 0,
  }
}
