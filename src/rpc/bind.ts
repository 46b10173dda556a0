// From promise handlers to grpc-js handlers: the signal of the caller, one exit for errors, nothing that hangs.
import { randomUUID } from 'node:crypto'
import type { handleUnaryCall, UntypedServiceImplementation } from '@grpc/grpc-js'
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

function bindMethod(service: string, method: string, handler: AnyMethod, pipe: Pipe): handleUnaryCall<object, object> {
  const run = compose(pipe.middleware, call => handler(call.request as never, call.op))
  return (grpcCall, callback) => {
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
    work.then(
      reply => callback(null, reply),
      (error: unknown) => callback(toServiceError(nameOfAbort(error, deadline))),
    )
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
  return new Cancelled({ asked: 'answer', found: 'the caller went away', next: 'call again' })
}

function subjectOf(request: object): { volume?: string; name?: string } {
  if ('volume_id' in request && typeof request.volume_id === 'string' && request.volume_id !== '')
    return { volume: request.volume_id }
  return 'name' in request && typeof request.name === 'string' ? { name: request.name } : {}
}
