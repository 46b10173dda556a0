// What the caller of a command is told that gave no answer, on whatever machine it ran.
import { Cancelled, Unavailable } from '../volume/errors.ts'

export function cancelled(asked: string): Cancelled {
  return new Cancelled({ asked, found: 'the caller went away', next: 'call again' })
}

export function tooLate(asked: string, timeoutMs: number): Unavailable {
  return new Unavailable({ asked, found: `no answer within ${timeoutMs} ms`, next: 'check the device and try again' })
}

export function hangs(asked: string, found: string): Unavailable {
  return new Unavailable({ asked, found, next: 'check the device below it; it is gone, suspended or frozen' })
}

/** On one line, and not too much of it. */
export function excerpt(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  return line.length > 400 ? `${line.slice(0, 400)}...` : line || 'no output'
}
