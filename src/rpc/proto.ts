// Loads proto/csi.proto, with the one cast from what the loader returns to the generated types.
import { fileURLToPath } from 'node:url'
import { type GrpcObject, loadPackageDefinition } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import type { ProtoGrpcType } from './generated/csi.ts'
import { protoLoaderOptions } from './proto-options.ts'

const PROTO = fileURLToPath(new URL('../../proto/csi.proto', import.meta.url))

function load(): ProtoGrpcType['csi']['v1'] {
  const loaded: GrpcObject = loadPackageDefinition(loadSync(PROTO, protoLoaderOptions))
  return (loaded as unknown as ProtoGrpcType).csi.v1
}

/** The five services, with their clients and definitions. */
export const csi = load()
