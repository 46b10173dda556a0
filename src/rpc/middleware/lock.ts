// One operation a volume at a time: the same request joins the running one, a different one is ABORTED.

import { OperationPending } from '../../volume/errors.ts'
import { digest } from '../../volume/ids.ts'
import type { Call, Middleware, Next, Reply } from '../call.ts'

/** Questions that change nothing; health questions must be answered while a volume is busy. */
const UNLOCKED = new Set([
  'ValidateVolumeCapabilities',
  'ControllerGetVolume',
  'ListSnapshots',
  'GetSnapshot',
  'GetVolumeGroupSnapshot',
  'GetMetadataAllocated',
  'GetMetadataDelta',
  'NodeGetVolumeStats',
])

/** What a call must hold alone, as a pure function of the call: the volume, once beside the bytes and once on the node. */
export function lockKey({
  service,
  method,
  request,
}: Pick<Call, 'service' | 'method' | 'request'>): string | undefined {
  if (UNLOCKED.has(method)) return undefined
  const { name, volume_id: volume, snapshot_id: snapshot, group_snapshot_id: group } = request
  if (/^Create(?:Volume|Snapshot|VolumeGroupSnapshot)$/.test(method) && typeof name === 'string')
    return `${service}/${method}/${digest(name)}`
  const id = volume ?? snapshot ?? group
  return typeof id === 'string' ? `${service}/${id}` : undefined
}

interface Running {
  readonly method: string
  /** Secrets included: a call with other credentials is another call. Kept as a digest only. */
  readonly fingerprint: string
  readonly outcome: Promise<Reply>
  readonly stop: AbortController
  waiting: number
}

/**
 * Looks and takes in one synchronous step: no await stands between. The lock belongs to the operation, not to its
 * callers: when all of them are gone the operation is told to stop, and the lock is free when it really has.
 */
export function createLock(): Middleware {
  const held = new Map<string, Running>()

  const start = (key: string, call: Call, fingerprint: string, next: Next): Running => {
    const stop = new AbortController()
    const outcome = next({ ...call, op: { ...call.op, signal: stop.signal } }).finally(() => held.delete(key))
    const running = { method: call.method, fingerprint, outcome, stop, waiting: 0 }
    held.set(key, running)
    return running
  }

  return async (call, next) => {
    const key = lockKey(call)
    if (key === undefined) return await next(call)
    const fingerprint = digest(JSON.stringify([call.method, call.request]))
    const running = held.get(key)
    // An operation that is told to stop will fail: who asks now did not cancel it, and must not be answered so.
    if (running && (running.fingerprint !== fingerprint || running.stop.signal.aborted)) {
      throw new OperationPending({
        asked: call.method,
        found: `${running.method} is running for the same volume`,
        next: 'call again when it is done',
      })
    }
    return await join(running ?? start(key, call, fingerprint, next), call.op.signal)
  }
}

async function join(running: Running, caller: AbortSignal): Promise<Reply> {
  running.waiting += 1
  const leave = () => {
    running.waiting -= 1
    if (running.waiting === 0) running.stop.abort()
  }
  if (caller.aborted) leave()
  else caller.addEventListener('abort', leave, { once: true })
  try {
    return await running.outcome
  } finally {
    caller.removeEventListener('abort', leave)
  }
}
