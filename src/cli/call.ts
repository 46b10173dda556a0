// `call SERVICE/METHOD [JSON]`: one RPC from the command line.
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import {
  answerOf,
  type CsiClient,
  connect,
  listMethods,
  listStreams,
  type Service,
  type StreamingMethod,
} from '../rpc/client.ts'

export interface Call {
  readonly service: Service | 'SnapshotMetadata'
  readonly method: string
  /** JSON of the request, `-` for stdin. */
  readonly request: string
  readonly endpoint: string
}

export class NotACall extends Error {}

/** Throws NotACall with what to write instead. */
export function parseCall(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  methods: Readonly<Partial<Record<Call['service'], readonly string[]>>>,
): Call {
  const { values, positionals } = parse(args)
  const [target = '', request = '{}', ...more] = positionals
  if (target === '' || more.length > 0)
    throw new NotACall('call SERVICE/METHOD [JSON]: write the request as one argument, in single quotes')
  const [service = '', method = ''] = target.replace(/^csi\.v1\./, '').split('/', 2)
  const known = Object.entries(methods).find(([each]) => each === service)
  if (!known) throw new NotACall(`there is no service "${service}": one of ${Object.keys(methods).join(', ')}`)
  if (!known[1].includes(method))
    throw new NotACall(`${service} has no method "${method}": one of ${known[1].join(', ')}`)
  const endpoint = values.endpoint ?? env['CSI_ENDPOINT'] ?? ''
  if (endpoint === '') throw new NotACall('no endpoint: pass --endpoint unix:///path/csi.sock or set CSI_ENDPOINT')
  return { service: known[0] as Call['service'], method, request, endpoint }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: { endpoint: { type: 'string' } } })
  } catch (error) {
    throw new NotACall(error instanceof Error ? error.message : String(error))
  }
}

/** Throws NotACall unless the text is a JSON object. */
export function parseRequest(json: string): object {
  try {
    const value: unknown = JSON.parse(json)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch (error) {
    throw new NotACall(`the request is not JSON: ${error instanceof Error ? error.message : String(error)}`)
  }
  throw new NotACall('the request is not a JSON object')
}

/** One, or those of a stream as they come. */
async function* repliesOf(client: CsiClient, service: Call['service'], method: string, body: object) {
  if (service === 'SnapshotMetadata') yield* client.stream(method as StreamingMethod, body)
  else yield await client.call(service, method, body)
}

/** Answers the exit code. */
export async function runCall(args: readonly string[]): Promise<number> {
  try {
    const { service, method, request, endpoint } = parseCall(args, process.env, {
      ...listMethods(),
      SnapshotMetadata: listStreams(),
    })
    const body = parseRequest(request === '-' ? await text(process.stdin) : request)
    const client = connect(endpoint)
    try {
      for await (const reply of repliesOf(client, service, method, body))
        process.stdout.write(`${JSON.stringify(reply, undefined, 2)}\n`)
      return 0
    } finally {
      client.close()
    }
  } catch (error) {
    if (error instanceof NotACall) {
      process.stderr.write(`${error.message}\n`)
      return 2
    }
    const answer = answerOf(error)
    process.stderr.write(answer ? `${answer.name}: ${answer.details}\n` : `${String(error)}\n`)
    return 1
  }
}
