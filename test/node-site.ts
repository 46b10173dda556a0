// A node whose only transport is the one of a test, under the name "x".
import type { Host } from '../src/host/host.ts'
import type { Journal } from '../src/node/journal.ts'
import type { NodeSite } from '../src/node/site.ts'
import type { Connector } from '../src/transports/transport.ts'

export function nodeSiteWith(host: Host, journal: Journal, connector: Connector): NodeSite {
  const connectors = new Map([['x', connector]])
  return { host, journal, connectors, nodeId: 'n', segments: {}, maxVolumesPerNode: 0 }
}
