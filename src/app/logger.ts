// JSON lines on stdout, one a fact.
import { type Logger as Pino, pino } from 'pino'
import type { Logger } from '../volume/op.ts'

/** `redact` is the second lock on the door: requests are redacted before they are logged. */
export function createLogger(level: string): Logger {
  return wrap(
    pino({
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      redact: ['request.secrets', '*.secrets', 'secrets'],
    }),
  )
}

function wrap(logger: Pino): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: fields => wrap(logger.child(fields)),
  }
}
