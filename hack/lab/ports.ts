// TCP ports of the loopback device that nobody listens at.
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'

/** As many as are asked for, each another: all are taken at once, and given back. */
export const freePorts = async (count: number): Promise<number[]> => {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map(server => once(server, 'listening')))
  const ports = servers.map(server => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  await Promise.all(servers.map(server => once(server, 'close')))
  return ports
}

export const freePort = async (): Promise<number> => (await freePorts(1))[0] ?? 0
