// Serves gRPC on a unix socket: makes its folder, removes a dead socket, never steals a live one.
import { chmod, lstat, mkdir, unlink } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { dirname, isAbsolute } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from '@grpc/grpc-js'
import { endsWithin } from '../volume/within.ts'

export type { Server, ServiceDefinition }

export interface Endpoint {
  readonly kind: 'unix' | 'tcp'
  /** A path, or host:port. */
  readonly address: string
}

export interface ServeOptions {
  readonly endpoint: Endpoint
  /** Permission bits of the socket. */
  readonly socketMode: number
  readonly services: readonly { definition: ServiceDefinition; implementation: UntypedServiceImplementation }[]
}

const LINGER_MS = 1000
const LOOK_MS = 50

/** sun_path holds 108 bytes with its terminator: unix(7). */
const LONGEST_SOCKET_PATH = 107

/** `unix:///run/csi.sock`, `unix:/run/csi.sock`, `/run/csi.sock`, `tcp://127.0.0.1:10000`. Throws with the reason. */
export function parseEndpoint(text: string, allowTcp: boolean): Endpoint {
  const tcp = /^tcp:\/\/(\S+:\d+)$/.exec(text)?.[1]
  if (tcp !== undefined) {
    if (!allowTcp)
      throw new Error(
        `endpoint ${text}: TCP lets everyone on the network mount and delete volumes; set allowTcp (--allow-tcp) if that is meant`,
      )
    return { kind: 'tcp', address: tcp }
  }
  const address = text.replace(/^unix:(\/\/)?/, '')
  if (!isAbsolute(address)) throw new Error(`endpoint ${text}: use unix:///absolute/path.sock`)
  if (Buffer.byteLength(address) > LONGEST_SOCKET_PATH)
    throw new Error(`endpoint ${text}: a socket path has at most ${LONGEST_SOCKET_PATH} bytes`)
  return { kind: 'unix', address }
}

/** Answers when calls are accepted. Throws when another process serves the socket. */
export async function serve({ endpoint, socketMode, services }: ServeOptions): Promise<Server> {
  // No idle limit: sidecars exit when the connection closes under them.
  const server = new Server()
  for (const { definition, implementation } of services) server.addService(definition, implementation)
  if (endpoint.kind === 'unix') await prepareSocket(endpoint.address)
  const umask = process.umask(0o177) // nobody connects between bind and chmod
  try {
    await bind(server, endpoint.kind === 'unix' ? `unix:${endpoint.address}` : endpoint.address)
  } finally {
    process.umask(umask)
  }
  if (endpoint.kind === 'unix') await chmod(endpoint.address, socketMode)
  return server
}

async function bind(server: Server, address: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), error => (error ? reject(error) : resolve()))
  })
}

async function prepareSocket(path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  const facts = await lstat(path).catch(() => undefined)
  if (!facts) return
  if (!facts.isSocket()) throw new Error(`endpoint ${path}: it exists and is not a socket`)
  // A killed driver's socket lives on in children that it was starting, until they have become other programs.
  for (const deadline = Date.now() + LINGER_MS; await isAlive(path); await sleep(LOOK_MS))
    if (Date.now() > deadline) throw new Error(`endpoint ${path}: another process is serving it`)
  await unlink(path) // bind(2) fails with EADDRINUSE on a socket that a killed process left
}

function isAlive(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const probe = createConnection(path)
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    // Anything else, as EAGAIN of a full queue, says that somebody listens.
    probe.once('error', (error: NodeJS.ErrnoException) =>
      resolve(!['ECONNREFUSED', 'ENOENT'].includes(error.code ?? '')),
    )
  })
}

/** Lets running calls end; after the timeout cuts them off. False if it had to. */
export async function drain(server: Server, timeoutMs: number): Promise<boolean> {
  const done = new Promise<void>(resolve => server.tryShutdown(() => resolve()))
  const inTime = await endsWithin(done, timeoutMs)
  if (!inTime) server.forceShutdown()
  return inTime
}
