// Topology segments: where a volume can be reached, and whether a request can be served from there.
import { digest } from './ids.ts'
import type { Segments } from './types.ts'

/** Label values: 1 to 63 characters, alphanumeric at both ends (CSI spec, Topology). */
const VALUE = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$/

export function isTopologyValue(text: string): boolean {
  return VALUE.test(text)
}

/** The segments of one node; all keys have the driver's name as prefix, as the spec demands of one plugin. */
export function nodeSegments(driver: string, at: { node: string; zone?: string; region?: string }): Segments {
  return {
    // A node id may be longer than a label value; a digest is unique and legal.
    [`${driver}/node`]: isTopologyValue(at.node) ? at.node : `n-${digest(at.node).slice(0, 32)}`,
    ...(at.zone === undefined ? {} : { [`${driver}/zone`]: at.zone }),
    ...(at.region === undefined ? {} : { [`${driver}/region`]: at.region }),
  }
}

/** Does the place at `segments` lie in `wanted`? A place matches if it has every segment that is asked for. */
export function matches(segments: Segments, wanted: Segments): boolean {
  return Object.entries(wanted).every(([key, value]) => segments[key] === value)
}

/** True when nothing is required, or one of the requisite topologies contains the place. No segments: it is everywhere. */
export function isServed(segments: Segments, requisite: readonly Segments[]): boolean {
  return Object.keys(segments).length === 0 || requisite.length === 0 || requisite.some(each => matches(segments, each))
}
