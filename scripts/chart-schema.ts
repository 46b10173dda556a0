// The schema of the chart's values: what the driver's own schemas say, and the chart's keys around them; unknown keys are errors.
import { configSchema } from '../src/schema/shapes/config.ts'
import { parametersSchema } from '../src/schema/shapes/parameters.ts'
import { tuningSchema } from '../src/schema/shapes/tuning.ts'

type Schema = Readonly<Record<string, unknown>>

/** Known by the chart alone, or different on each node. */
const SET_BY_CHART: Readonly<Record<string, readonly string[]>> = {
  config: ['endpoint', 'nodeId', 'zone', 'region', 'socketMode', 'allowTcp', 'selfPublish', 'metricsAddress'],
  iscsi: ['initiatorName', 'inHostNamespaces'],
  storage: ['identityFile', 'knownHostsFile', 'controlDir'],
}

const text: Schema = { type: 'string' }
const name: Schema = { type: 'string', pattern: '^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$', maxLength: 253 }
const flag: Schema = { type: 'boolean' }
const count: Schema = { type: 'integer', minimum: 0 }
const port: Schema = { type: 'integer', minimum: 1, maximum: 65_535 }
const duration: Schema = { type: 'string', pattern: '^([0-9]+(ms|s|m|h))+$' }
const folder: Schema = { type: 'string', pattern: '^/.*[^/]$' }
const strings: Schema = { type: 'object', additionalProperties: text }
/** Kubernetes' own shapes: the API server checks them. */
const anyObject: Schema = { type: 'object' }
const anyList: Schema = { type: 'array', items: anyObject }
const list = (items: Schema): Schema => ({ type: 'array', items })
const choice = (...values: readonly unknown[]): Schema => ({ enum: values })

function closed(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', additionalProperties: false, ...(required.length > 0 && { required }), properties }
}

/** JSON Schema has no `nullable`; and Helm takes away what is null. */
function plain(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(plain)
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).filter(([key]) => key !== 'nullable')
  return Object.fromEntries(entries.map(([key, value]) => [key, plain(value)]))
}

interface ObjectSchema {
  readonly properties: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
}

function without(schema: unknown, keys: readonly string[] = []): Schema {
  const { properties, required = [] } = plain(schema) as ObjectSchema
  const kept = Object.fromEntries(Object.entries(properties).filter(([key]) => !keys.includes(key)))
  return closed(
    kept,
    required.filter(key => !keys.includes(key)),
  )
}

function driverConfig(): Schema {
  const { properties } = configSchema as unknown as ObjectSchema
  const whole = without(configSchema, SET_BY_CHART['config']) as unknown as ObjectSchema
  const pools = whole.properties['pools'] as unknown as { additionalProperties: Schema }
  return closed(
    {
      ...whole.properties,
      // The names become those of volumes of a pod.
      pools: { type: 'object', propertyNames: { pattern: '^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$' }, ...pools },
      defaultTransport: choice('loop', 'iscsi'),
      iscsi: without(properties['iscsi'], SET_BY_CHART['iscsi']),
      storage: without(properties['storage'], SET_BY_CHART['storage']),
    },
    ['driverName'],
  )
}

const image = closed({ repository: text, tag: text, digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' } }, [
  'repository',
])
const monitor = (own: Readonly<Record<string, Schema>>): Schema => closed({ enabled: flag, labels: strings, ...own })
const sidecar = (own: Readonly<Record<string, Schema>> = {}): Schema =>
  closed({ image, extraArgs: list(text), resources: anyObject, ...own })

function storageClass(): Schema {
  const own = without(parametersSchema)
  const parameters = { ...own, patternProperties: { '^csi\\.storage\\.k8s\\.io/': text } }
  return closed(
    {
      name,
      default: flag,
      annotations: strings,
      reclaimPolicy: choice('Delete', 'Retain'),
      volumeBindingMode: choice('WaitForFirstConsumer', 'Immediate'),
      allowVolumeExpansion: flag,
      mountOptions: list(text),
      allowedTopologies: anyList,
      parameters,
    },
    ['name'],
  )
}

const podOf = (own: Readonly<Record<string, Schema>>): Schema =>
  closed({
    nodeSelector: strings,
    tolerations: anyList,
    affinity: anyObject,
    priorityClassName: text,
    resources: anyObject,
    extraEnv: anyList,
    podAnnotations: strings,
    podLabels: strings,
    ...own,
  })

function sidecars(): Schema {
  const caller = sidecar({ timeout: duration })
  return closed({
    registry: text,
    logLevel: count,
    kubeApiQps: count,
    kubeApiBurst: count,
    leaderElection: closed({ leaseDuration: duration, renewDeadline: duration, retryPeriod: duration }),
    provisioner: caller,
    attacher: caller,
    resizer: caller,
    snapshotter: caller,
    registrar: sidecar(),
    livenessprobe: sidecar(),
  })
}

function workloads(): Readonly<Record<string, Schema>> {
  const disruption = { enabled: flag, maxUnavailable: {}, unhealthyPodEvictionPolicy: text }
  return {
    controller: podOf({
      replicas: { type: ['integer', 'null'], minimum: 1 },
      topologySpreadConstraints: anyList,
      securityContext: anyObject,
      podDisruptionBudget: closed(disruption),
    }),
    node: podOf({ maxUnavailable: { type: ['string', 'integer'] }, privilegedSidecars: flag }),
    sidecars: sidecars(),
  }
}

function classes(): Readonly<Record<string, Schema>> {
  const snapshots = {
    name,
    default: flag,
    annotations: strings,
    deletionPolicy: choice('Delete', 'Retain'),
  }
  return {
    storageClasses: list(storageClass()),
    volumeSnapshotClasses: list(closed(snapshots, ['name'])),
    volumeAttributesClasses: list(
      closed({ name, annotations: strings, parameters: without(tuningSchema) }, ['name', 'parameters']),
    ),
  }
}

/** Of charts/ashlar/values.yaml. */
export function valuesSchema(): Schema {
  const api = ['provisioner', 'attacher', 'resizer', 'snapshotter']
  const ports = [...api, 'controllerHealth', 'controllerMetrics', 'nodeMetrics', 'nodeHealth', 'registrar']
  return {
    $schema: 'https://json-schema.org/draft-07/schema#',
    title: 'Generated by scripts/generate.ts from src/schema: do not edit.',
    ...closed({
      // Helm's own, for charts that have this one as a part.
      global: anyObject,
      profile: choice('local', 'iscsi'),
      nameOverride: text,
      fullnameOverride: text,
      commonLabels: strings,
      config: driverConfig(),
      poolHostPathType: choice('Directory', 'DirectoryOrCreate'),
      kubeletDir: folder,
      images: closed({
        registry: text,
        pullPolicy: choice('Always', 'IfNotPresent', 'Never'),
        pullSecrets: anyList,
        controller: image,
        node: image,
      }),
      sshSecret: closed({ name: text, identityKey: text, knownHostsKey: text }),
      chapSecret: closed({ name: text, key: text }),
      csiDriver: closed({
        fsGroupPolicy: choice('File', 'ReadWriteOnceWithFSType', 'None'),
        seLinuxMount: flag,
        podInfoOnMount: flag,
        storageCapacity: flag,
        annotations: strings,
        labels: strings,
      }),
      ...workloads(),
      snapshots: choice('auto', true, false),
      ports: closed(Object.fromEntries(ports.map(each => [each, port]))),
      ...classes(),
      networkPolicy: closed({
        enabled: flag,
        metricsFrom: anyList,
        restrictEgress: flag,
        apiServer: closed({ cidrs: list(text), ports: list(port) }),
        storageCidrs: list(text),
      }),
      monitoring: closed({
        podMonitor: monitor({ interval: duration }),
        prometheusRule: monitor({}),
        dashboard: monitor({ annotations: strings }),
      }),
    }),
  }
}
