// Flags over environment over file: one frozen configuration, or a list of every problem.
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { problemsOfSsh } from '../host/ssh-client.ts'
import { type Endpoint, parseEndpoint } from '../rpc/serve.ts'
import { validateConfig } from '../schema/config.ts'
import type { Config } from '../schema/shapes/config.ts'
import { TRANSPORTS } from '../transports/index.ts'

export interface Settings extends Readonly<Config> {
  readonly address: Endpoint
}

export class ConfigError extends Error {}

export const USAGE = `options:
  --config FILE        JSON file with all settings (docs/configuration.md)
  --endpoint URL       unix:///path/csi.sock            (environment: CSI_ENDPOINT)
  --node-id ID         as Kubernetes names the node     (environment: NODE_ID)
  --zone, --region     topology of the node             (environment: NODE_ZONE, NODE_REGION)
  --driver-name NAME   default csi.ashlar.dev
  --pool-dir DIR       one file pool called "default" in this folder
  --state-dir DIR      default /var/lib/ashlar/node
  --log-level LEVEL    trace, debug, info, warn, error
  --allow-tcp          accept tcp://host:port endpoints`

const options = {
  config: { type: 'string' },
  endpoint: { type: 'string' },
  'node-id': { type: 'string' },
  zone: { type: 'string' },
  region: { type: 'string' },
  'driver-name': { type: 'string' },
  'pool-dir': { type: 'string' },
  'state-dir': { type: 'string' },
  'log-level': { type: 'string' },
  'allow-tcp': { type: 'boolean' },
} as const

export interface Reader {
  /** Whether the process makes volumes: it must have the transport of those that name none. */
  readonly isController?: boolean
  /** What neither file, environment nor flags need to give. */
  readonly presets?: Readonly<Partial<Config>>
}

/** Throws ConfigError with one line a problem. */
export function readConfig(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  { isController = false, presets = {} }: Reader = {},
): Settings {
  const flags = parseFlags(argv)
  const file = flags.config === undefined ? {} : readFile(flags.config)
  const given = {
    ...presets,
    ...file,
    ...defined({
      endpoint: flags.endpoint ?? env['CSI_ENDPOINT'],
      nodeId: flags['node-id'] ?? env['NODE_ID'],
      zone: flags.zone ?? env['NODE_ZONE'],
      region: flags.region ?? env['NODE_REGION'],
      driverName: flags['driver-name'],
      stateDir: flags['state-dir'],
      allowTcp: flags['allow-tcp'],
      pools: flags['pool-dir'] === undefined ? undefined : { default: { type: 'file', path: flags['pool-dir'] } },
      log: flags['log-level'] === undefined ? undefined : { level: flags['log-level'] },
    }),
  }
  const result = validateConfig(given, config => problemsBeyond(config, isController))
  if (!('value' in result)) throw new ConfigError(result.problems.join('\n'))
  try {
    return Object.freeze({ ...result.value, address: parseEndpoint(result.value.endpoint, result.value.allowTcp) })
  } catch (error) {
    throw new ConfigError(error instanceof Error ? error.message : String(error))
  }
}

/** What the transports and ssh say about their settings. */
function problemsBeyond({ defaultTransport, iscsi, storage }: Config, isController: boolean): string[] {
  const known = Object.keys(TRANSPORTS)
  const portals = iscsi?.portals ?? []
  return [
    ...(known.includes(defaultTransport) ? [] : [`defaultTransport must be one of: ${known.join(', ')}`]),
    ...(defaultTransport === 'loop' && storage
      ? ['defaultTransport must not be loop with storage: volumes of another host are reached over the network only']
      : []),
    ...(defaultTransport === 'iscsi' && isController && portals.length === 0
      ? ['defaultTransport iscsi needs iscsi.portals on a controller']
      : []),
    ...(storage ? problemsOfSsh(storage).map(problem => `storage.${problem}`) : []),
  ]
}

function parseFlags(argv: readonly string[]) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: false }).values
  } catch (error) {
    throw new ConfigError(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
  }
}

function readFile(path: string): object {
  try {
    const content: unknown = JSON.parse(readFileSync(path, 'utf8'))
    if (typeof content === 'object' && content !== null && !Array.isArray(content)) return content
  } catch (error) {
    throw new ConfigError(`${path}: ${error instanceof Error ? error.message : String(error)}`)
  }
  throw new ConfigError(`${path}: not a JSON object`)
}

/** An empty variable counts as absent: that is what an unset field of a pod spec becomes. */
function defined(values: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined && value !== ''))
}
