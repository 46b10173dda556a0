// Transport `iscsi`: the storage host exports a volume through a target, and any node of the cluster may log in to it.
import type { Host } from '../../host/host.ts'
import type { Transport, TransportConfig } from '../transport.ts'
import { createConnector } from './connector.ts'
import { createExporter } from './exporter.ts'
import { initiatorName } from './names.ts'
import { TARGETS } from './targets.ts'

export const iscsi = {
  exporter(host: Host, { iscsi: settings }: TransportConfig) {
    // A node has no portals to offer.
    if (!settings || settings.portals.length === 0) return undefined
    return createExporter(host, settings, TARGETS[settings.target].open(host))
  },
  connector(host: Host, { iscsi: settings, nodeId }: TransportConfig) {
    if (!settings) return undefined
    return createConnector(host, settings, settings.initiatorName ?? initiatorName(nodeId))
  },
} satisfies Transport
