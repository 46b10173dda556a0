// One RPC on its way through the pipe, and what a piece of the pipe looks like.
import type { handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js'
import type { Op } from '../volume/op.ts'

export interface Call {
  readonly service: string
  /** The RPC's name: "NodeStageVolume". */
  readonly method: string
  /** As proto-loader decoded it: snake_case keys, int64 as strings, absent messages null. */
  readonly request: Readonly<Record<string, unknown>>
  readonly op: Op
}

export type Reply = object
export type Next = (call: Call) => Promise<Reply>
export type Middleware = (call: Call, next: Next) => Promise<Reply>

/** Promise handlers for a generated service: forgetting an RPC is a compile error. */
export type Methods<Handlers> = {
  [M in keyof Handlers as string extends M ? never : M]: Handlers[M] extends handleUnaryCall<
    infer Request,
    infer Response
  >
    ? (request: Request, op: Op) => Promise<Response>
    : never
}

/** The same for RPCs that answer a stream: what the generator throws is the status of its end. */
export type Streams<Handlers> = {
  [M in keyof Handlers as string extends M ? never : M]: Handlers[M] extends handleServerStreamingCall<
    infer Request,
    infer Response
  >
    ? (request: Request, op: Op) => AsyncIterable<Response>
    : never
}
