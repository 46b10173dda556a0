// The failures a caller can be told about: each says what was asked, what was found and what to do next.

/** The closed set that `rpc/status.ts` maps to gRPC codes. */
export type ErrorKind =
  | 'invalid-argument'
  | 'out-of-range'
  | 'not-found'
  | 'already-exists'
  | 'failed-precondition'
  | 'resource-exhausted'
  | 'aborted'
  | 'unavailable'
  | 'unimplemented'
  | 'cancelled'
  | 'deadline-exceeded'
  | 'internal'

/** One failure in three parts, so that every message has the same shape. */
export interface Finding {
  /** What was asked: "delete volume x". */
  asked: string
  /** What was observed: "it is published to node-a". */
  found: string
  /** What the caller can do about it: "unpublish it first". */
  next: string
}

/** Base of all planned failures; anything else that is thrown is a bug and becomes INTERNAL. */
export abstract class DriverError extends Error {
  abstract readonly kind: ErrorKind

  constructor({ asked, found, next }: Finding, options?: ErrorOptions) {
    super(`${asked}: ${found}; ${next}`, options)
    this.name = new.target.name
  }
}

/** A field is missing, malformed or not supported by this driver. Nothing was changed. */
export class InvalidRequest extends DriverError {
  readonly kind = 'invalid-argument'
}

/** No size satisfies the capacity range. */
export class SizeOutOfRange extends DriverError {
  readonly kind = 'out-of-range'
}

/** A starting_offset that is not in the volume. */
export class OffsetOutOfRange extends DriverError {
  readonly kind = 'out-of-range'
}

/** The volume does not exist, or not at the given path. */
export class VolumeNotFound extends DriverError {
  readonly kind = 'not-found'
}

/** The snapshot does not exist. */
export class SnapshotNotFound extends DriverError {
  readonly kind = 'not-found'
}

/** The group of snapshots does not exist. */
export class GroupNotFound extends DriverError {
  readonly kind = 'not-found'
}

/** The node is not one that this controller can publish to. */
export class NodeNotFound extends DriverError {
  readonly kind = 'not-found'
}

/** The name or path is taken by something that differs from what was asked. */
export class IncompatibleExists extends DriverError {
  readonly kind = 'already-exists'
}

/** The volume is published, staged or held; the opposite call must come first. */
export class VolumeInUse extends DriverError {
  readonly kind = 'failed-precondition'
}

/** Writes to the volumes cannot be held, or their files not be cloned: no instant is the same for all of them. */
export class CannotCutTogether extends DriverError {
  readonly kind = 'failed-precondition'
}

/** Another node holds a volume that only one node may hold. */
export class PublishedElsewhere extends DriverError {
  readonly kind = 'failed-precondition'
}

/** A call that must come first has not been made. */
export class NotStaged extends DriverError {
  readonly kind = 'failed-precondition'
}

/** The device is not this volume: its identity or size differs. */
export class WrongDevice extends DriverError {
  readonly kind = 'failed-precondition'
}

/** The device may hold data, so mkfs does not run. */
export class RefusesToFormat extends DriverError {
  readonly kind = 'failed-precondition'
}

/** The filesystem needs a person: repair, or a size that it cannot grow to. */
export class FilesystemUnfit extends DriverError {
  readonly kind = 'failed-precondition'
}

/** The filesystem of the pool does not tell which blocks a file has: a backup must read everything. */
export class BlocksUnknown extends DriverError {
  readonly kind = 'failed-precondition'
}

/** The process lacks a privilege that the kernel demands. */
export class MissingPrivilege extends DriverError {
  readonly kind = 'failed-precondition'
}

/** A starting_token that this driver never issued: the spec wants ABORTED for it. */
export class BadToken extends DriverError {
  readonly kind = 'aborted'
}

/** The pool has no room, or the topology cannot be served. */
export class PoolFull extends DriverError {
  readonly kind = 'resource-exhausted'
}

/** The node holds as many volumes as it may. */
export class AttachLimitReached extends DriverError {
  readonly kind = 'resource-exhausted'
}

/** Another operation on the same volume is running. */
export class OperationPending extends DriverError {
  readonly kind = 'aborted'
}

/** A device or tool did not answer in time, or the driver is shutting down; worth a retry. */
export class Unavailable extends DriverError {
  readonly kind = 'unavailable'
}

/** The RPC is not offered in this deployment. */
export class NotSupported extends DriverError {
  readonly kind = 'unimplemented'
}

/** The caller went away before the work that may be stopped was done. */
export class Cancelled extends DriverError {
  readonly kind = 'cancelled'
}

/** The caller's deadline passed before the work that may be stopped was done. */
export class DeadlineExceeded extends DriverError {
  readonly kind = 'deadline-exceeded'
}

/** A command answered with an exit code that nobody gave a meaning. */
export class CommandFailed extends DriverError {
  readonly kind = 'internal'
  readonly code: number | undefined

  constructor(finding: Finding & { code: number | undefined }, options?: ErrorOptions) {
    super(finding, options)
    this.code = finding.code
  }
}

/** A command reported success, but the kernel does not show its effect. */
export class EffectMissing extends DriverError {
  readonly kind = 'internal'
}
