// Stands in the bundle for protobufjs/ext/descriptor, with which @grpc/proto-loader describes each message for gRPC's reflection.
import { ReflectionObject, Root } from 'protobufjs'

// What it asks of each message and of all files. Nobody reads the answers: reflection is not served.
const description = { $type: { toObject: () => undefined } }
Object.assign(ReflectionObject.prototype, { toDescriptor: () => description })
Object.assign(Root.prototype, { toDescriptor: () => ({ file: [] }) })
