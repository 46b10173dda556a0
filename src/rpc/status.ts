// THE error table: from what went wrong to a gRPC status. Nobody else makes status codes.
import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { DriverError, type ErrorKind } from '../volume/errors.ts'

const CODES = {
  'invalid-argument': status.INVALID_ARGUMENT,
  'out-of-range': status.OUT_OF_RANGE,
  'not-found': status.NOT_FOUND,
  'already-exists': status.ALREADY_EXISTS,
  'failed-precondition': status.FAILED_PRECONDITION,
  'resource-exhausted': status.RESOURCE_EXHAUSTED,
  aborted: status.ABORTED,
  unavailable: status.UNAVAILABLE,
  unimplemented: status.UNIMPLEMENTED,
  cancelled: status.CANCELLED,
  'deadline-exceeded': status.DEADLINE_EXCEEDED,
  internal: status.INTERNAL,
} satisfies Record<ErrorKind, status>

/** For logs and metrics: OK or the name of the code. */
export function codeNameOf(error: unknown): string {
  return status[codeOf(error)]
}

function codeOf(error: unknown): status {
  return error instanceof DriverError ? CODES[error.kind] : status.INTERNAL
}

/** What the client sees. An error that nobody planned is a bug: its text may hold anything, so it stays in the log. */
export function toServiceError(error: unknown): ServiceError {
  const details =
    error instanceof DriverError
      ? error.message
      : 'the driver met an error it did not plan for; the driver’s log has the details'
  return Object.assign(new Error(details), { code: codeOf(error), details, metadata: new Metadata() })
}
