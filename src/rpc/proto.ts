// The services of proto/csi.proto, by the description that is generated of it, with the casts that its types need.
import { type GrpcObject, loadPackageDefinition } from '@grpc/grpc-js'
import { fromJSON } from '@grpc/proto-loader'
import json from './generated/csi.json' with { type: 'json' }
import type { ProtoGrpcType } from './generated/csi.ts'
import { protoLoaderOptions } from './proto-options.ts'

function load(): ProtoGrpcType['csi']['v1'] {
  const description = json as Parameters<typeof fromJSON>[0]
  const loaded: GrpcObject = loadPackageDefinition(fromJSON(description, protoLoaderOptions))
  return (loaded as unknown as ProtoGrpcType).csi.v1
}

/** The five services, with their clients and definitions. */
export const csi = load()
