// The registry of transports: one line each.
import type { Host } from '../host/host.ts'
import { iscsi } from './iscsi/iscsi.ts'
import { loop } from './loop.ts'
import type { Connector, Exporter, Ledger, Transport, TransportConfig } from './transport.ts'

export const TRANSPORTS: Readonly<Record<string, Transport>> = {
  loop,
  iscsi,
}

export function exportersOf(host: Host, config: TransportConfig, ledger: Ledger): Map<string, Exporter> {
  return configured(transport => transport.exporter(host, config, ledger))
}

export function connectorsOf(host: Host, config: TransportConfig): Map<string, Connector> {
  return configured(transport => transport.connector(host, config))
}

/** Without those that the configuration does not ask for. */
function configured<Half>(build: (transport: Transport) => Half | undefined): Map<string, Half> {
  const halves = Object.entries(TRANSPORTS).map(([name, transport]) => [name, build(transport)] as const)
  return new Map(halves.flatMap(([name, half]) => (half === undefined ? [] : [[name, half]])))
}
