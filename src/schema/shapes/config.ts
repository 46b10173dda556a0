// The driver's configuration file: its shape, and its defaults.
import type { JSONSchemaType } from 'ajv'

export interface Config {
  /** CSI plugin name: domain notation, at most 63 characters. */
  driverName: string
  endpoint: string
  /** Octal permission bits of the socket. */
  socketMode: string
  allowTcp: boolean
  nodeId: string
  zone?: string
  region?: string
  /** Folder for what the node notes about staged volumes. */
  stateDir: string
  /** 0: no limit. */
  maxVolumesPerNode: number
  /** Controller: whether the capability GET_SNAPSHOT, which is alpha, is offered. */
  offerGetSnapshot: boolean
  /** Controller and node in one process: the node claims what it stages, and nobody calls ControllerPublishVolume. */
  selfPublish: boolean
  /** How many calls may work at the same time. */
  maxConcurrentCalls: number
  /** How long running calls may go on after SIGTERM. */
  drainSeconds: number
  /** Where metrics are served: IP:PORT, or :PORT for all addresses. Absent: nowhere. */
  metricsAddress?: string
  defaultPool: string
  defaultTransport: string
  pools: Record<string, FilePoolSettings>
  /** Absent: volumes are reachable on their own host only. */
  iscsi?: IscsiSettings
  /** Node: what pods may bring along as volumes of their own. Absent: nothing. */
  ephemeral?: EphemeralSettings
  /** Controller: the host of pools and targets, if it is another than this one. */
  storage?: StorageSettings
  log: { level: 'trace' | 'debug' | 'info' | 'warn' | 'error' }
}

export interface FilePoolSettings {
  type: 'file'
  path: string
  overcommit: number
  sectorSize: 512 | 4096
}

/** All limits are for this node. */
export interface EphemeralSettings {
  /** Absent: the default pool. */
  pool?: string
  /** 0: no new ones. */
  maxVolumes: number
  maxVolumeMiB: number
  maxTotalMiB: number
}

export interface IscsiSettings {
  /** Controller: what serves the volumes. */
  target: 'lio' | 'tgt'
  /** Controller: one target for each volume, or one for each node with a LUN for each volume that it has. For what is published from now on. */
  layout: 'per-volume' | 'per-node'
  /** Controller: the addresses of the storage host for nodes, IP:PORT. A node has none. */
  portals: string[]
  /** How initiators, and for `mutual` targets too, prove themselves. On a node: the least that it accepts. */
  chap: 'none' | 'one-way' | 'mutual'
  /** What CHAP secrets are derived from; the same file on controller and nodes. */
  chapKeyFile?: string
  /** Node: instead of the name that follows from the nodeId. */
  initiatorName?: string
  /** Node: run iscsiadm in the namespaces of the host's init, where iscsid is. */
  inHostNamespaces: boolean
  /** Node: how long one attempt to log in may take. */
  loginTimeoutSeconds: number
  /** Node: how long I/O waits for a lost session before it fails. */
  replacementTimeoutSeconds: number
  /** Node: how often an idle connection is tried, and how long an answer may take. */
  noopIntervalSeconds: number
  noopTimeoutSeconds: number
}

/** How the storage host is reached with ssh. */
export interface StorageSettings {
  address: string
  port: number
  user: string
  /** The private key. */
  identityFile: string
  /** The only host keys that are accepted. */
  knownHostsFile: string
  /** For the socket of the shared connection. */
  controlDir: string
}

const storage: JSONSchemaType<StorageSettings> = {
  type: 'object',
  required: ['address', 'identityFile', 'knownHostsFile'],
  additionalProperties: false,
  properties: {
    address: { type: 'string', minLength: 1 },
    port: { type: 'integer', minimum: 1, maximum: 65_535, default: 22 },
    user: { type: 'string', minLength: 1, default: 'root' },
    identityFile: { type: 'string', pattern: '^/.+' },
    knownHostsFile: { type: 'string', pattern: '^/.+' },
    controlDir: { type: 'string', pattern: '^/.+', default: '/run/ashlar-ssh' },
  },
} as unknown as JSONSchemaType<StorageSettings>

const seconds = (preset: number) => ({ type: 'integer', minimum: 1, maximum: 86_400, default: preset }) as const

const iscsi: JSONSchemaType<IscsiSettings> = {
  type: 'object',
  required: [],
  additionalProperties: false,
  properties: {
    target: { type: 'string', enum: ['lio', 'tgt'], default: 'lio' },
    layout: { type: 'string', enum: ['per-volume', 'per-node'], default: 'per-volume' },
    portals: { type: 'array', items: { type: 'string' }, default: [] },
    chap: { type: 'string', enum: ['none', 'one-way', 'mutual'], default: 'none' },
    chapKeyFile: { type: 'string', pattern: '^/.+', nullable: true },
    initiatorName: { type: 'string', nullable: true },
    inHostNamespaces: { type: 'boolean', default: false },
    loginTimeoutSeconds: seconds(5),
    replacementTimeoutSeconds: seconds(120),
    noopIntervalSeconds: seconds(5),
    noopTimeoutSeconds: seconds(5),
  },
} as unknown as JSONSchemaType<IscsiSettings>

const mebibytes = { type: 'integer', minimum: 1, maximum: 1_099_511_627_776 } as const

const ephemeral: JSONSchemaType<EphemeralSettings> = {
  type: 'object',
  // None has a default: what strangers may take from a node is for its operator to say.
  required: ['maxVolumes', 'maxVolumeMiB', 'maxTotalMiB'],
  additionalProperties: false,
  properties: {
    pool: { type: 'string', nullable: true },
    maxVolumes: { type: 'integer', minimum: 0, maximum: 100_000 },
    maxVolumeMiB: mebibytes,
    maxTotalMiB: mebibytes,
  },
}

const pool: JSONSchemaType<FilePoolSettings> = {
  type: 'object',
  required: ['type', 'path'],
  additionalProperties: false,
  properties: {
    type: { type: 'string', enum: ['file'] },
    path: { type: 'string', pattern: '^/.+' },
    overcommit: { type: 'number', minimum: 0.1, maximum: 1000, default: 1 },
    sectorSize: { type: 'integer', enum: [512, 4096], default: 512 },
  },
}

export const configSchema: JSONSchemaType<Config> = {
  type: 'object',
  required: ['nodeId', 'endpoint'],
  additionalProperties: false,
  properties: {
    // Alphanumeric ends; csi-sanity and the spec's own examples want letters there.
    driverName: { type: 'string', pattern: '^[a-zA-Z]([a-zA-Z0-9.-]{0,61}[a-zA-Z])?$', default: 'csi.ashlar.dev' },
    endpoint: { type: 'string', minLength: 1 },
    socketMode: { type: 'string', pattern: '^0?[0-7]{3}$', default: '0660' },
    allowTcp: { type: 'boolean', default: false },
    // Printable ASCII without blanks, so that characters are bytes, and no node bears a name of src/volume/claim.ts.
    nodeId: { type: 'string', pattern: '^[!-~]+$', maxLength: 192 },
    zone: { type: 'string' },
    region: { type: 'string' },
    stateDir: { type: 'string', pattern: '^/.+', default: '/var/lib/ashlar/node' },
    maxVolumesPerNode: { type: 'integer', minimum: 0, maximum: 100_000, default: 0 },
    offerGetSnapshot: { type: 'boolean', default: false },
    selfPublish: { type: 'boolean', default: false },
    maxConcurrentCalls: { type: 'integer', minimum: 1, maximum: 1000, default: 16 },
    drainSeconds: { type: 'integer', minimum: 0, maximum: 3600, default: 25 },
    metricsAddress: { type: 'string', nullable: true },
    defaultPool: { type: 'string', default: 'default' },
    defaultTransport: { type: 'string', default: 'loop' },
    pools: {
      type: 'object',
      required: [],
      additionalProperties: pool,
      default: { default: { type: 'file', path: '/var/lib/ashlar/pool', overcommit: 1, sectorSize: 512 } },
    },
    iscsi: { ...iscsi, nullable: true },
    ephemeral: { ...ephemeral, nullable: true },
    storage: { ...storage, nullable: true },
    log: {
      type: 'object',
      required: [],
      additionalProperties: false,
      default: { level: 'info' },
      properties: { level: { type: 'string', enum: ['trace', 'debug', 'info', 'warn', 'error'], default: 'info' } },
    },
  },
} as unknown as JSONSchemaType<Config>
