// The registry of transports: one line each.
import { loop } from './loop.ts'
import type { Transport } from './transport.ts'

export const TRANSPORTS: Readonly<Record<string, Transport>> = {
  loop,
}
