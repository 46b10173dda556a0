// The client side: promise calls to a CSI socket, for the command line, the demo and tests.
import {
  type ChannelCredentials,
  type Client,
  type ClientReadableStream,
  credentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js'
import { csi } from './proto.ts'

export type Service = 'Identity' | 'Controller' | 'GroupController' | 'Node'
/** The RPCs of SnapshotMetadata, which answer streams. */
export type StreamingMethod = 'GetMetadataAllocated' | 'GetMetadataDelta'
type Callback = (error: ServiceError | null, reply: unknown) => void
type Rpc = (request: object, options: { deadline: number }, callback: Callback) => unknown

type StreamingRpc = (request: object, options: { deadline: number }) => ClientReadableStream<unknown>

export interface CsiClient {
  /** Answers the reply as proto-loader decodes it; rejects with grpc-js’s ServiceError (`code`, `details`). */
  call<T = Record<string, unknown>>(service: Service, method: string, request?: object, timeoutMs?: number): Promise<T>
  /**
   * The messages as they come, as fast as they are taken; throws ServiceError at an end that is not OK. To leave the loop
   * early cancels the call.
   */
  stream<T = Record<string, unknown>>(method: StreamingMethod, request: object, timeoutMs?: number): AsyncGenerator<T>
  close(): void
}

const TIMEOUT_MS = 120_000

/** `unix:///run/csi.sock`, `/run/csi.sock` or `tcp://host:port`, as the driver's own --endpoint. */
export function connect(endpoint: string): CsiClient {
  const address = endpoint.startsWith('tcp://')
    ? endpoint.slice('tcp://'.length)
    : `unix:${endpoint.replace(/^unix:(\/\/)?/, '')}`
  const insecure: ChannelCredentials = credentials.createInsecure()
  const clients: Record<Service, Client> = {
    Identity: new csi.Identity(address, insecure),
    Controller: new csi.Controller(address, insecure),
    GroupController: new csi.GroupController(address, insecure),
    Node: new csi.Node(address, insecure),
  }
  const metadata = new csi.SnapshotMetadata(address, insecure)
  return {
    call: <T>(service: Service, method: string, request: object = {}, timeoutMs = TIMEOUT_MS) =>
      new Promise<T>((resolve, reject) => {
        const rpc = (clients[service] as unknown as Partial<Record<string, Rpc>>)[method]
        if (!rpc) throw new Error(`${service} has no method ${method}`)
        rpc.call(clients[service], request, { deadline: Date.now() + timeoutMs }, (error, reply) => {
          if (error) reject(error)
          else resolve(reply as T)
        })
      }),
    async *stream<T>(method: StreamingMethod, request: object, timeoutMs = TIMEOUT_MS) {
      const options = { deadline: Date.now() + timeoutMs }
      const rpc = metadata[method].bind(metadata) as StreamingRpc
      const messages = rpc(request, options)
      try {
        for await (const message of messages) yield message as T
      } finally {
        messages.cancel()
      }
    },
    close: () => {
      for (const client of [...Object.values(clients), metadata]) client.close()
    },
  }
}

/** The RPCs that `stream` knows. */
export function listStreams(): StreamingMethod[] {
  return Object.keys(csi.SnapshotMetadata.service) as StreamingMethod[]
}

/** The RPCs that `call` knows, by service. */
export function listMethods(): Record<Service, string[]> {
  return {
    Identity: Object.keys(csi.Identity.service),
    Controller: Object.keys(csi.Controller.service),
    GroupController: Object.keys(csi.GroupController.service),
    Node: Object.keys(csi.Node.service),
  }
}

/** What a failed call was answered with: `FAILED_PRECONDITION` and the driver’s words; undefined for other errors. */
export function answerOf(error: unknown): { name: string; details: string } | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('details' in error)) return undefined
  const name = status[Number(error.code)]
  return name === undefined ? undefined : { name, details: String(error.details) }
}
