// The driver's configuration file, checked: every problem named at once.
import { isPoolName } from '../volume/ids.ts'
import { encodeNodeId, isIqn, parseNodeId } from '../volume/node-id.ts'
import { isPortal } from '../volume/portal.ts'
import { isTopologyValue } from '../volume/topology.ts'
import { config as matches } from './generated/checks.js'
import type { Config, IscsiSettings } from './shapes/config.ts'
import { type Validation, validate } from './validate.ts'

/** CSI spec, NodeGetInfo. */
const LONGEST_NODE_ID = 256

/** Checks the shape, and what a schema cannot say. `beyond`: what only folders know that this one may not import. */
export function validateConfig(
  input: unknown,
  beyond: (config: Config) => readonly string[] = () => [],
): Validation<Config> {
  const shape = validate(matches, input)
  if (shape.problems.length > 0 || !('value' in shape)) return shape
  const {
    pools,
    defaultPool,
    zone,
    region,
    iscsi: network,
    storage: far,
    ephemeral: scratch,
    selfPublish,
    metricsAddress,
  } = shape.value
  const [first, ...rest] = [
    ...Object.keys(pools)
      .filter(name => !isPoolName(name))
      .map(name => `pools.${name} must be named with lower-case letters, digits and "-", at most 32`),
    ...(Object.hasOwn(pools, defaultPool) ? [] : [`defaultPool must be one of: ${Object.keys(pools).join(', ')}`]),
    ...Object.entries({ zone, region })
      .filter(([, value]) => value !== undefined && !isTopologyValue(value))
      .map(([key]) => `${key} must be 1 to 63 letters, digits, "-", "_" or "."`),
    ...problemsOfNodeId(shape.value),
    ...(metricsAddress === undefined || isPortal(metricsAddress.replace(/^:/, '0.0.0.0:'))
      ? []
      : [`metricsAddress "${metricsAddress}" is not IP:PORT or :PORT, as 127.0.0.1:9805`]),
    ...(network ? problemsOfIscsi(network) : []),
    ...(far && (network?.portals ?? []).length === 0
      ? ['storage needs iscsi.portals: volumes of another host are reached over the network only']
      : []),
    ...(scratch?.pool !== undefined && !Object.hasOwn(pools, scratch.pool)
      ? [`ephemeral.pool must be one of: ${Object.keys(pools).join(', ')}`]
      : []),
    ...(scratch && far ? ['ephemeral cannot be with storage: such volumes are files of the node itself'] : []),
    ...(selfPublish && (network || far)
      ? ['selfPublish is for transport loop alone: over the network the controller gives and takes the right to write']
      : []),
    ...beyond(shape.value),
  ]
  return first === undefined ? shape : { problems: [first, ...rest] }
}

/** With an initiator name that follows from it, it has room: `initiatorName` in src/transports/iscsi/names.ts. */
function problemsOfNodeId({ nodeId, iscsi: network }: Config): string[] {
  const initiator = network?.initiatorName
  const { length } = Buffer.from(encodeNodeId({ name: nodeId, ...(initiator !== undefined && { initiator }) }))
  return [
    ...(parseNodeId(nodeId).initiator === undefined
      ? []
      : [`nodeId "${nodeId}" ends with "/" and the name of an initiator: give that as iscsi.initiatorName`]),
    ...(length <= LONGEST_NODE_ID
      ? []
      : [`nodeId and iscsi.initiatorName must have at most ${LONGEST_NODE_ID - 1} bytes together, not ${length - 1}`]),
  ]
}

function problemsOfIscsi({ target, layout, portals, chap, chapKeyFile, initiatorName }: IscsiSettings): string[] {
  return [
    ...portals
      .filter(each => !isPortal(each))
      .map(each => `iscsi.portals: "${each}" is not IP:PORT, as 10.0.0.1:3260 or [fd00::1]:3260`),
    ...(chap !== 'none' && chapKeyFile === undefined ? [`iscsi.chapKeyFile is needed for iscsi.chap ${chap}`] : []),
    ...(chap !== 'none' && target === 'tgt'
      ? ['iscsi.chap must be none for target tgt: its only tool takes secrets as arguments, which everybody can read']
      : []),
    ...(layout === 'per-node' && target === 'tgt'
      ? ['iscsi.layout must be per-volume for target tgt: only LIO takes one LUN away and leaves the session alone']
      : []),
    ...(initiatorName !== undefined && !isIqn(initiatorName)
      ? [`iscsi.initiatorName "${initiatorName}" is not a name like iqn.2026-01.org.example:node-a`]
      : []),
  ]
}
