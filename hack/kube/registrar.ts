// Tells kubelet of the driver, as node-driver-registrar does, which no Go module proxy has (README.md).
import { mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  type GrpcObject,
  loadPackageDefinition,
  Server,
  ServerCredentials,
  type ServiceClientConstructor,
} from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'

const PROTO = join(import.meta.dirname, 'plugin-registration.proto')

export interface Plugin {
  readonly name: string
  /** Path of the socket of the driver's node plugin. */
  readonly endpoint: string
  /** Where to listen: below kubelet's folder plugins_registry. */
  readonly socket: string
}

export class Registrar {
  readonly #plugin: Plugin
  readonly #server = new Server()
  readonly registered: Promise<void>

  constructor(plugin: Plugin) {
    this.#plugin = plugin
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.registered = promise
    const { pluginregistration } = loadPackageDefinition(loadSync(PROTO, { keepCase: true, defaults: true }))
    const { service } = (pluginregistration as GrpcObject)['Registration'] as ServiceClientConstructor
    const { name, endpoint } = plugin
    this.#server.addService(service, {
      GetInfo: (_call: unknown, answer: Answer) =>
        answer(null, { type: 'CSIPlugin', name, endpoint, supported_versions: ['1.0.0'] }),
      NotifyRegistrationStatus: ({ request }: { request: Status }, answer: Answer) => {
        if (request.plugin_registered) resolve()
        else reject(new Error(`kubelet does not take the plugin: ${request.error}`))
        answer(null, {})
      },
    })
  }

  async start(): Promise<void> {
    mkdirSync(dirname(this.#plugin.socket), { recursive: true })
    await new Promise<void>((resolve, reject) => {
      this.#server.bindAsync(`unix:${this.#plugin.socket}`, ServerCredentials.createInsecure(), error =>
        error ? reject(error) : resolve(),
      )
    })
  }

  stop(): void {
    this.#server.forceShutdown()
  }
}

type Answer = (error: null, reply: object) => void

interface Status {
  readonly plugin_registered: boolean
  readonly error: string
}
