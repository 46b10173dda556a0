// What every verb receives last: where to log and when to stop.

export interface Logger {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
  child(fields: object): Logger
}

export interface Op {
  readonly log: Logger
  /** Fires when nobody waits for the answer any more, or the driver is told to stop. */
  readonly signal: AbortSignal
}

/** For work that must come to its end though the caller may have gone, such as undoing. */
export function steady(op: Pick<Op, 'log'>): Op {
  return { ...op, signal: new AbortController().signal }
}

/** Swallows everything; for callers that have nowhere to log. */
export const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => SILENT,
}
