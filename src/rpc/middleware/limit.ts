// Bounds how many calls work at the same time: mkfs on forty devices at once helps none of them.
import pLimit from 'p-limit'
import type { Middleware } from '../call.ts'

/** Answered from memory, or needed to find out how a busy driver is; or streams, which last as long as their readers like. */
const UNLIMITED = /^(Probe|.*Get.*|ListVolumes|ListSnapshots|ValidateVolumeCapabilities)$/

export function createLimit(concurrency: number): Middleware {
  const limit = pLimit(concurrency)
  return async (call, next) => (UNLIMITED.test(call.method) ? await next(call) : await limit(next, call))
}
