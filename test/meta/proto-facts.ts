// What the marks in proto/csi.proto say: which request fields are required and which fields are secret.
import protobuf from 'protobufjs'
import { loadOurProto } from '../proto/our-schema.ts'

function collectMessages(namespace: protobuf.NamespaceBase): protobuf.Type[] {
  return namespace.nestedArray.flatMap(element =>
    element instanceof protobuf.Type ? [element, ...collectMessages(element)] : [],
  )
}

/**
 * For every message that is the request of an rpc (named without its package, for example `CreateVolumeRequest`), its
 * own fields whose comment has the word REQUIRED, in the order of the proto; an empty list when none has.
 */
export function readRequiredFields(): Map<string, string[]> {
  const services = loadOurProto().nestedArray.filter(element => element instanceof protobuf.Service)
  const requests = services.flatMap(service => service.methodsArray).map(method => method.resolvedRequestType)
  return new Map(
    requests.flatMap(request => {
      if (!request) return []
      const required = request.fieldsArray.filter(field => /\bREQUIRED\b/.test(field.comment ?? ''))
      return [[request.name, required.map(field => field.name)]]
    }),
  )
}

/** Every field with the option csi_secret as `Message.field`, sorted; nested messages as `Outer.Inner.field`. */
export function readSecretFields(): string[] {
  const namespace = loadOurProto()
  const prefix = `${namespace.fullName}.`
  return collectMessages(namespace)
    .flatMap(message => message.fieldsArray)
    .filter(field => field.options?.['(csi_secret)'] === true)
    .map(field => field.fullName.slice(prefix.length))
    .sort()
}
