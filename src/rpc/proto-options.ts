// The proto-loader options: one constant, so that the generated types and the running loader cannot disagree.
import type { Options } from '@grpc/proto-loader'

/**
 * How protobuf messages look in TypeScript: snake_case keys as in the proto, int64 as decimal strings, enum values by
 * name, every absent field filled with its default, and for each oneof a key naming the member that is set.
 */
export const protoLoaderOptions = {
  keepCase: true,
  // A number is exact only up to 2^53; sizes and offsets are int64.
  longs: String,
  enums: String,
  defaults: true,
  oneofs: true,
  json: false,
} as const satisfies Options
