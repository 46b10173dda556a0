// One line a call with its outcome, the redacted request at debug level, and a reminder while a call takes long.
import { DriverError } from '../../volume/errors.ts'
import type { Middleware } from '../call.ts'
import { redact } from '../redact.ts'
import { codeNameOf } from '../status.ts'

const SLOW_MS = 30_000
/** Asked every few seconds by sidecars and kubelet. */
const FREQUENT = new Set([
  'Probe',
  'GetPluginInfo',
  'GetPluginCapabilities',
  'ControllerGetCapabilities',
  'NodeGetCapabilities',
])

export const log: Middleware = async (call, next) => {
  const { op, request, method } = call
  const started = performance.now()
  const ms = () => Math.round(performance.now() - started)
  op.log.debug({ request: redact(request) }, 'call')
  const slow = setInterval(() => op.log.warn({ ms: ms() }, 'call is still running'), SLOW_MS)
  try {
    const reply = await next(call)
    const level = FREQUENT.has(method) ? 'debug' : 'info'
    op.log[level]({ code: 'OK', ms: ms() }, 'done')
    return reply
  } catch (error) {
    const planned = error instanceof DriverError
    const fields = {
      code: codeNameOf(error),
      ms: ms(),
      ...(planned ? { error: error.name, reason: error.message } : { err: error }),
    }
    op.log[planned ? 'warn' : 'error'](fields, planned ? 'refused' : 'failed unexpectedly')
    throw error
  } finally {
    clearInterval(slow)
  }
}
