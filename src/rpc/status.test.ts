// Tests of the status table: every kind has its code, and what nobody planned shows nothing to the client.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { status } from '@grpc/grpc-js'
import * as errors from '../volume/errors.ts'
import { codeNameOf, toServiceError } from './status.ts'

const finding = { asked: 'a', found: 'b', next: 'c', code: 3 }
type Failure = new (given: typeof finding) => errors.DriverError
const classes = Object.entries(errors).filter(([name]) => name !== 'DriverError') as unknown as [string, Failure][]

describe('the status table', () => {
  it('gives every kind of failure its code', () => {
    const codes = Object.fromEntries(classes.map(([name, Class]) => [name, codeNameOf(new Class(finding))]))
    assert.deepEqual(codes, {
      InvalidRequest: 'INVALID_ARGUMENT',
      SizeOutOfRange: 'OUT_OF_RANGE',
      OffsetOutOfRange: 'OUT_OF_RANGE',
      VolumeNotFound: 'NOT_FOUND',
      SnapshotNotFound: 'NOT_FOUND',
      GroupNotFound: 'NOT_FOUND',
      NodeNotFound: 'NOT_FOUND',
      IncompatibleExists: 'ALREADY_EXISTS',
      VolumeInUse: 'FAILED_PRECONDITION',
      CannotCutTogether: 'FAILED_PRECONDITION',
      PublishedElsewhere: 'FAILED_PRECONDITION',
      NotStaged: 'FAILED_PRECONDITION',
      WrongDevice: 'FAILED_PRECONDITION',
      RefusesToFormat: 'FAILED_PRECONDITION',
      FilesystemUnfit: 'FAILED_PRECONDITION',
      BlocksUnknown: 'FAILED_PRECONDITION',
      MissingPrivilege: 'FAILED_PRECONDITION',
      BadToken: 'ABORTED',
      PoolFull: 'RESOURCE_EXHAUSTED',
      AttachLimitReached: 'RESOURCE_EXHAUSTED',
      OperationPending: 'ABORTED',
      Unavailable: 'UNAVAILABLE',
      NotSupported: 'UNIMPLEMENTED',
      Cancelled: 'CANCELLED',
      DeadlineExceeded: 'DEADLINE_EXCEEDED',
      CommandFailed: 'INTERNAL',
      EffectMissing: 'INTERNAL',
    })
  })

  it('shows the three parts of a planned failure', () => {
    const error = toServiceError(
      new errors.VolumeInUse({ asked: 'delete v', found: 'it is published', next: 'unpublish it' }),
    )
    assert.deepEqual(
      [error.code, error.details],
      [status.FAILED_PRECONDITION, 'delete v: it is published; unpublish it'],
    )
    for (const [name, Class] of classes) assert.equal(new Class(finding).name, name)
  })

  it('shows nothing of a failure that nobody planned', () => {
    for (const thrown of [
      new Error('canary'),
      new TypeError('canary'),
      'canary',
      undefined,
      null,
      { kind: 'not-found', message: 'canary' },
    ]) {
      const error = toServiceError(thrown)
      assert.equal(error.code, status.INTERNAL)
      assert.doesNotMatch(`${error.details} ${error.message}`, /canary/)
    }
  })
})
