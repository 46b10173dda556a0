// Runs in a VM that nothing ever happens to: passes calls from the host to the drivers of the cluster, as a control plane would.
import { answerOf, type CsiClient, connect, type Service } from '../../src/rpc/client.ts'
import { serveMailbox } from './mailbox.ts'

export interface Asked {
  readonly endpoint: string
  readonly service: Service
  readonly method: string
  readonly request: object
  readonly timeoutMs: number
}

export type Answered = { readonly reply: unknown } | { readonly error: string; readonly details: string }

const clients = new Map<string, CsiClient>()

async function pass({ endpoint, service, method, request, timeoutMs }: Asked): Promise<Answered> {
  const client = clients.get(endpoint) ?? connect(endpoint)
  clients.set(endpoint, client)
  try {
    return { reply: await client.call(service, method, request, timeoutMs) }
  } catch (error) {
    const answer = answerOf(error)
    // A driver that was killed comes back under the same address; grpc-js would wait for ever longer between attempts.
    if (answer?.name === 'UNAVAILABLE' || answer?.name === 'DEADLINE_EXCEEDED') {
      clients.delete(endpoint)
      client.close()
    }
    return { error: answer?.name ?? 'UNKNOWN', details: answer?.details ?? String(error) }
  }
}

if (import.meta.main) await serveMailbox(process.argv[2] ?? '', pass)
