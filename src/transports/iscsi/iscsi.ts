// Transport `iscsi`: the storage host exports a volume through a target, and any node of the cluster may log in to it.
import { join } from 'node:path'
import type { Host } from '../../host/host.ts'
import { localHost } from '../../host/local.ts'
import type { Ledger, Transport, TransportConfig } from '../transport.ts'
import { createConnector } from './connector.ts'
import { createExporter } from './exporter.ts'
import { initiatorName } from './names.ts'
import { TARGETS } from './targets.ts'

export const iscsi = {
  exporter(host: Host, { iscsi: settings }: TransportConfig, ledger: Ledger) {
    // A node has no portals to offer.
    if (!settings || settings.portals.length === 0) return undefined
    return createExporter(localHost(), settings, TARGETS[settings.target].open(host), ledger)
  },
  connector(host: Host, { iscsi: settings, nodeId, stateDir }: TransportConfig) {
    if (!settings) return undefined
    return createConnector(host, settings, settings.initiatorName ?? initiatorName(nodeId), join(stateDir, 'locks'))
  },
} satisfies Transport
