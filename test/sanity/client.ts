// The few gRPC calls the sanity runner makes itself: is the driver ready, and what can its controller do.
import { join } from 'node:path'
import { Client, credentials } from '@grpc/grpc-js'
import { load, type ServiceDefinition } from '@grpc/proto-loader'

const PROTO = join(import.meta.dirname, '..', '..', 'proto', 'csi.proto')
const CALL_DEADLINE_MS = 60_000

const call = async (socket: string, service: string, method: string): Promise<unknown> => {
  const definitions = await load(PROTO, { keepCase: true, enums: String, defaults: true })
  const definition = (definitions[service] as ServiceDefinition | undefined)?.[method]
  if (definition === undefined) throw new Error(`${PROTO} has no ${service}/${method}`)
  const client = new Client(`unix:${socket}`, credentials.createInsecure())
  try {
    return await new Promise((resolve, reject) => {
      client.makeUnaryRequest(
        definition.path,
        definition.requestSerialize,
        definition.responseDeserialize,
        {},
        { deadline: Date.now() + CALL_DEADLINE_MS },
        (error, response) => (error ? reject(error) : resolve(response)),
      )
    })
  } finally {
    client.close()
  }
}

/** True once Probe answers OK and does not say ready: false. */
export const isReady = async (socket: string): Promise<boolean> => {
  try {
    const response = (await call(socket, 'csi.v1.Identity', 'Probe')) as { ready?: { value: boolean } | null }
    return response.ready?.value ?? true
  } catch {
    return false
  }
}

/** Names of the controller's RPC capabilities, for example CREATE_DELETE_VOLUME. */
export const controllerCapabilities = async (socket: string): Promise<string[]> => {
  const response = (await call(socket, 'csi.v1.Controller', 'ControllerGetCapabilities')) as {
    capabilities: { rpc?: { type: string } | null }[]
  }
  return response.capabilities.flatMap(capability => (capability.rpc ? [capability.rpc.type] : []))
}
