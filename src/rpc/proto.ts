// The services of proto/csi.proto, by the descriptions that are generated of it, with the casts that its types need.
import { type GrpcObject, loadPackageDefinition } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import controller from './generated/Controller.json' with { type: 'json' }
import type { ProtoGrpcType } from './generated/csi.ts'
import groupController from './generated/GroupController.json' with { type: 'json' }
import identity from './generated/Identity.json' with { type: 'json' }
import node from './generated/Node.json' with { type: 'json' }
import snapshotMetadata from './generated/SnapshotMetadata.json' with { type: 'json' }
import { protoLoaderOptions } from './proto-options.ts'

const DESCRIPTIONS = {
  Identity: identity,
  Controller: controller,
  GroupController: groupController,
  Node: node,
  SnapshotMetadata: snapshotMetadata,
}

type Name = keyof typeof DESCRIPTIONS
type Services = Pick<ProtoGrpcType['csi']['v1'], Name>

function load<N extends Name>(name: N): Services[N] {
  const description = DESCRIPTIONS[name] as Parameters<typeof fromJSON>[0]
  const root: GrpcObject = loadPackageDefinition(fromJSON(description, protoLoaderOptions))
  return (root as unknown as ProtoGrpcType).csi.v1[name]
}

const loaded: Partial<Services> = {}
function once<N extends Name>(name: N): Services[N] {
  const service = loaded[name] ?? load(name)
  loaded[name] = service
  return service
}

/** The five services, with their clients and definitions; each is loaded when it is asked for, as no process needs all. */
export const csi: Services = {
  get Identity() {
    return once('Identity')
  },
  get Controller() {
    return once('Controller')
  },
  get GroupController() {
    return once('GroupController')
  },
  get Node() {
    return once('Node')
  },
  get SnapshotMetadata() {
    return once('SnapshotMetadata')
  },
}
