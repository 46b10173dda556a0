// Mutable parameters: what may be changed while a volume lives, and how it travels to the node in the publish context.
import { InvalidRequest } from '../volume/errors.ts'
import type { Parameters, Route } from '../volume/types.ts'
import { tuning as matches } from './generated/checks.js'
import { type Tuning, tuningSchema } from './shapes/tuning.ts'
import { validate } from './validate.ts'

/** Under which names they are in the publish context: none that a route of a transport has. */
const ROUTE_KEYS = {
  readIops: 'read_iops',
  writeIops: 'write_iops',
  readBytesPerSecond: 'read_bytes_per_second',
  writeBytesPerSecond: 'write_bytes_per_second',
  readAheadKiB: 'read_ahead_kib',
  discard: 'discard',
} as const satisfies Record<keyof Tuning, string>

/** The kernel counts read-ahead in pages, and rounds down without a word. */
const PAGE_KIB = 4
/** The resizer adds facts about the claim on demand (--extra-modify-metadata). */
const METADATA = 'csi.storage.k8s.io/'

/** Throws InvalidRequest that names each wrong key and what is allowed. */
export function parseTuning(asked: string, given: Parameters): Tuning {
  const own = Object.fromEntries(Object.entries(given).filter(([key]) => !key.startsWith(METADATA)))
  const { problems, ...result } = validate(matches, own)
  const found = 'value' in result ? unaligned(result.value) : problems
  if ('value' in result && found.length === 0) return result.value
  throw new InvalidRequest({
    asked,
    found: found.join('; '),
    next: `the mutable parameters are ${Object.keys(tuningSchema.properties).join(', ')}`,
  })
}

function unaligned({ readAheadKiB }: Tuning): string[] {
  return Number(readAheadKiB ?? 0) % PAGE_KIB === 0 ? [] : [`readAheadKiB must be a multiple of ${PAGE_KIB}`]
}

/** As they are stored: canonical, without metadata. */
export function encodeTuning(tuning: Tuning): Parameters {
  const entries = Object.entries(tuning).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What goes into the publish context. */
export function encodeTuningRoute(stored: Parameters): Route {
  return Object.fromEntries(
    Object.entries(ROUTE_KEYS).flatMap(([key, routeKey]) => {
      const value = stored[key]
      return value === undefined ? [] : [[routeKey, value]]
    }),
  )
}

/** The reverse, on the node. All other keys belong to the transport. Throws InvalidRequest for a wrong value. */
export function parseTuningRoute(asked: string, route: Route): Tuning {
  const given = Object.entries(ROUTE_KEYS).flatMap(([key, routeKey]) => {
    const value = route[routeKey]
    return value === undefined ? [] : [[key, value]]
  })
  return parseTuning(asked, Object.fromEntries(given))
}
