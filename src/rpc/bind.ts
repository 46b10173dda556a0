// From promise handlers to grpc-js handlers: the signal of the caller, one exit for errors, nothing that hangs.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { Cancelled, DeadlineExceeded, DriverError, Unavailable } from '../volume/errors.ts'
import type { Logger, Op } from '../volume/op.ts'
import type { Call, Middleware, Reply } from './call.ts'
import { compose } from './middleware/compose.ts'
import { toServiceError } from './status.ts'

export interface Pipe {
  readonly log: Logger
  /** Outermost first. */
  readonly middleware: readonly Middleware[]
  /** Fires when the driver gives up waiting for running calls. */
  readonly stop: AbortSignal
  /** No new work is accepted. */
  readonly draining: () => boolean
  /** Work that outlives its caller must still be waited for at the end. */
  readonly track: (work: Promise<unknown>) => void
}

type AnyMethod = (request: never, op: Op) => Promise<Reply>
type AnyStream = (request: never, op: Op) => AsyncIterable<Reply>
type GrpcCall = ServerUnaryCall<object, object> | ServerWritableStream<object, object>

/** The service as grpc-js wants it. */
export function bindService(
  service: string,
  methods: Readonly<Record<string, AnyMethod>>,
  pipe: Pipe,
): UntypedServiceImplementation {
  return Object.fromEntries(
    Object.entries(methods).map(([name, method]) => [name, bindMethod(service, name, method, pipe)]),
  )
}

/** The same for a service whose RPCs answer streams. One entry of the log, one place in the pipe for a whole stream. */
export function bindStreams(
  service: string,
  streams: Readonly<Record<string, AnyStream>>,
  pipe: Pipe,
): UntypedServiceImplementation {
  return Object.fromEntries(
    Object.entries(streams).map(([name, stream]) => [name, bindStream(service, name, stream, pipe)]),
  )
}

function bindMethod(service: string, method: string, handler: AnyMethod, pipe: Pipe): handleUnaryCall<object, object> {
  const run = compose(pipe.middleware, call => handler(call.request as never, call.op))
  return (grpcCall, callback) => {
    begin(grpcCall, { service, method, run }, pipe).then(
      reply => callback(null, reply),
      (error: unknown) => callback(toServiceError(error)),
    )
  }
}

function bindStream(
  service: string,
  method: string,
  handler: AnyStream,
  pipe: Pipe,
): handleServerStreamingCall<object, object> {
  return stream => {
    const run = compose(pipe.middleware, call => send(handler(call.request as never, call.op), stream, call.op))
    begin(stream, { service, method, run }, pipe).then(
      () => stream.end(),
      // How grpc-js wants to be told the status of a stream: an end without it would look complete.
      (error: unknown) => stream.emit('error', toServiceError(error)),
    )
  }
}

/** As fast as the reader takes them; what makes the messages is asked for the next one only then. */
async function send(
  messages: AsyncIterable<Reply>,
  stream: ServerWritableStream<object, object>,
  { signal }: Op,
): Promise<Reply> {
  for await (const message of messages) {
    if (signal.aborted) throw callerGone()
    if (stream.write(message)) continue
    await once(stream, 'drain', { signal }).catch(() => {
      throw callerGone()
    })
  }
  return {}
}

interface Work {
  readonly service: string
  readonly method: string
  readonly run: (call: Call) => Promise<Reply>
}

/** Through the pipe. Rejects with what the caller is to be told. */
async function begin(grpcCall: GrpcCall, { service, method, run }: Work, pipe: Pipe): Promise<Reply> {
  const gone = new AbortController()
  grpcCall.on('cancelled', () => gone.abort())
  const op = {
    log: pipe.log.child({ method, call: randomUUID(), ...subjectOf(grpcCall.request) }),
    signal: AbortSignal.any([gone.signal, pipe.stop]),
  }
  const call: Call = { service, method, request: grpcCall.request as Record<string, unknown>, op }
  const deadline = Number(grpcCall.getDeadline()) // a Date or a number of milliseconds; Infinity when there is none
  const work = answer(run, call, pipe)
  pipe.track(work)
  try {
    return await work
  } catch (error) {
    throw nameOfAbort(error, deadline)
  }
}

async function answer(run: (call: Call) => Promise<Reply>, call: Call, pipe: Pipe): Promise<Reply> {
  if (pipe.draining()) {
    throw new Unavailable({
      asked: call.method,
      found: 'the driver is shutting down',
      next: 'call again when it is back',
    })
  }
  return await run(call)
}

/** grpc-js fires the same event for a cancelled call and for a passed deadline. */
function nameOfAbort(error: unknown, deadline: number): unknown {
  if (error instanceof Cancelled && Date.now() >= deadline) {
    return new DeadlineExceeded({
      asked: 'answer in time',
      found: error.message,
      next: 'call again; the work goes on from where it is',
    })
  }
  if (error instanceof DriverError || !(error instanceof Error) || error.name !== 'AbortError') return error
  return callerGone()
}

function callerGone(): Cancelled {
  return new Cancelled({ asked: 'answer', found: 'the caller went away', next: 'call again' })
}

/** What the lines of the log are about. */
function subjectOf(request: object): Readonly<Record<string, string>> {
  const { volume_id, snapshot_id, target_snapshot_id, name } = request as Readonly<Record<string, unknown>>
  const subjects = { volume: volume_id, snapshot: snapshot_id ?? target_snapshot_id, name }
  const [key, subject] = Object.entries(subjects).find(([, each]) => typeof each === 'string' && each !== '') ?? []
  return key !== undefined && typeof subject === 'string' ? { [key]: subject } : {}
}
