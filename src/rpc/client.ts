// The client side: promise calls to a CSI socket, for the command line, the demo and tests.
import { type ChannelCredentials, type Client, credentials, type ServiceError } from '@grpc/grpc-js'
import { csi } from './proto.ts'

type Service = 'Identity' | 'Controller' | 'Node'
type Callback = (error: ServiceError | null, reply: unknown) => void
type Rpc = (request: object, options: { deadline: number }, callback: Callback) => unknown

export interface CsiClient {
  /** Answers the reply as proto-loader decodes it; rejects with grpc-js’s ServiceError (`code`, `details`). */
  call<T = Record<string, unknown>>(service: Service, method: string, request?: object, timeoutMs?: number): Promise<T>
  close(): void
}

const TIMEOUT_MS = 120_000

export function connect(socketPath: string): CsiClient {
  const address = `unix:${socketPath}`
  const insecure: ChannelCredentials = credentials.createInsecure()
  const clients: Record<Service, Client> = {
    Identity: new csi.Identity(address, insecure),
    Controller: new csi.Controller(address, insecure),
    Node: new csi.Node(address, insecure),
  }
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
    close: () => {
      for (const client of Object.values(clients)) client.close()
    },
  }
}
