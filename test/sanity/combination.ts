// Names and files of one csi-sanity run: mode, access type, filesystem.
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface Combination {
  /** One process for both services on one socket, or one process and socket each. */
  mode: 'all-in-one' | 'split'
  accessType: 'mount' | 'block'
  /** Filesystem of mount volumes; meaningless for block. */
  fsType?: 'ext4' | 'xfs'
}

export const combinationName = ({ mode, accessType, fsType }: Combination): string =>
  `sanity/${mode}/${accessType}${accessType === 'mount' && fsType !== undefined ? `-${fsType}` : ''}`

export const NODE_ID = 'sanity-node'

// Small, so that the attach-limit spec needs few volumes; no other spec publishes more than two at a time.
const MAX_VOLUMES = 3

/** The driver's config file, as an object. Every path lies in the work directory. */
export const driverConfig = (directory: string, socket: string, role: string): object => ({
  driverName: 'csi.ashlar.dev',
  nodeId: NODE_ID,
  endpoint: `unix://${socket}`,
  stateDir: join(directory, 'state', role),
  maxVolumesPerNode: MAX_VOLUMES,
  pools: { default: { type: 'file', path: join(directory, 'pool'), overcommit: 10 } },
  log: { level: 'debug' },
})

const SECRET_KEYS = [
  'CreateVolumeSecret',
  'DeleteVolumeSecret',
  'ControllerPublishVolumeSecret',
  'ControllerUnpublishVolumeSecret',
  'ControllerValidateVolumeCapabilitiesSecret',
  'NodeStageVolumeSecret',
  'NodePublishVolumeSecret',
  'CreateSnapshotSecret',
  'DeleteSnapshotSecret',
  'ControllerExpandVolumeSecret',
  'ControllerModifyVolumeSecret',
  'ListSnapshotsSecret',
]

const GIB = 1024 ** 3

/** Mutable parameters the driver accepts. */
const MUTABLE_PARAMETERS: Record<string, string> = { readAheadKiB: '512', discard: 'on', writeIops: '1000' }

/** Snapshot class parameters; csi-sanity sends them once the driver can CREATE_DELETE_SNAPSHOT. */
const SNAPSHOT_PARAMETERS: Record<string, string> = {}

export interface SanityFiles {
  /** A string that only the secrets hold: it must show up nowhere. */
  canary: string
  /** Writes the parameter files and builds the flags for a driver with these controller capabilities. */
  flags: (capabilities: readonly string[], attempt: number) => string[]
  report: string
}

// csi-sanity reads YAML, of which JSON is a part.
const writeYaml = (file: string, value: object): string => {
  writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`)
  return file
}

/** Prepares the files of one run below the work directory. */
export const sanityFiles = (directory: string, { accessType, fsType }: Combination): SanityFiles => {
  const input = join(directory, 'input')
  mkdirSync(input)
  const canary = `canary-${randomBytes(12).toString('hex')}`
  const secrets = Object.fromEntries(SECRET_KEYS.map(key => [key, { password: `${canary}-${key}` }]))
  const parameters: Record<string, string> = {}
  if (accessType === 'mount' && fsType !== undefined) parameters['csi.storage.k8s.io/fstype'] = fsType
  const file = (name: string, value: object): string => writeYaml(join(input, name), value)
  const report = join(directory, 'report.json')
  return {
    canary,
    report,
    flags: (capabilities, attempt) => [
      // Both must not exist: csi-sanity makes them itself before each spec and fails when it finds them.
      `--csi.mountdir=${join(directory, `mount-${attempt}`)}`,
      `--csi.stagingdir=${join(directory, `staging-${attempt}`)}`,
      `--csi.secrets=${file('secrets.yaml', secrets)}`,
      `--csi.testvolumeparameters=${file('parameters.yaml', parameters)}`,
      `--csi.testvolumeaccesstype=${accessType}`,
      // Above the 300 MiB below which mkfs.xfs refuses.
      `--csi.testvolumesize=${GIB}`,
      `--csi.testvolumeexpandsize=${2 * GIB}`,
      '--csi.testnodevolumeattachlimit=true',
      ...(capabilities.includes('MODIFY_VOLUME')
        ? [`--csi.testvolumemutableparameters=${file('mutable.yaml', MUTABLE_PARAMETERS)}`]
        : []),
      ...(capabilities.includes('CREATE_DELETE_SNAPSHOT')
        ? [`--csi.testsnapshotparameters=${file('snapshot.yaml', SNAPSHOT_PARAMETERS)}`]
        : []),
      '--ginkgo.no-color',
      '--ginkgo.timeout=90m',
      `--ginkgo.json-report=${report}`,
    ],
  }
}
