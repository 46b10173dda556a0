// What travels to the node as publish context: where the volume is, and what its device must prove.
import { InvalidRequest } from '../../volume/errors.ts'
import { parseVolumeId } from '../../volume/ids.ts'
import { isPortal } from '../../volume/portal.ts'
import type { Bytes, Route, VolumeId } from '../../volume/types.ts'
import { LUNS, nodeTargetName, serialOf, targetName } from './names.ts'

export interface IscsiRoute {
  readonly target: string
  readonly lun: number
  /** IP:PORT, at least one. */
  readonly portals: readonly string[]
  /** Of the unit: the identity of the volume. */
  readonly serial: string
  /** When it was published; the volume may have grown since. */
  readonly size: Bytes
  readonly sectorSize: number
  readonly readonly: boolean
  readonly chap: ChapRoute
}

/** Not a secret: what the secrets of this publish follow from, together with the key that both sides have. */
export type ChapRoute =
  | { readonly mode: 'none' }
  | { readonly mode: 'one-way' | 'mutual'; readonly nonce: string; readonly key: string }

export function encodeIscsiRoute(route: IscsiRoute): Route {
  const { target, lun, portals, serial, chap } = route
  return {
    target,
    lun_id: String(lun),
    portals: portals.join(','),
    serial,
    size: String(route.size),
    sector_size: String(route.sectorSize),
    readonly: String(route.readonly),
    chap: chap.mode,
    ...(chap.mode !== 'none' && { chap_nonce: chap.nonce, chap_key: chap.key }),
  }
}

/** Trusts nothing: the target must be the volume's or this very initiator's, and the serial number the volume's. */
export function parseIscsiRoute(id: VolumeId, initiator: string, route: Route): IscsiRoute {
  const refuse = (found: string) =>
    new InvalidRequest({
      asked: `connect ${id} by its publish context`,
      found,
      next: 'pass on what ControllerPublishVolume returned',
    })
  const get = (key: string, isValid: (text: string) => boolean): string => {
    const text = route[key] ?? ''
    if (!isValid(text)) throw refuse(`${key} "${text}" is not what this driver sends for this volume`)
    return text
  }
  const matches = (pattern: RegExp) => (text: string) => pattern.test(text)
  const targets = [targetName(id), nodeTargetName(parseVolumeId(id)?.pool ?? '', initiator)]
  const target = get('target', text => targets.includes(text))
  const mode = get('chap', matches(/^(none|one-way|mutual)$/)) as ChapRoute['mode']
  return {
    target,
    lun: Number(get('lun_id', text => /^\d{1,10}$/.test(text) && Number(text) < LUNS)),
    portals: get('portals', text => text.split(',').every(isPortal)).split(','),
    serial: get('serial', text => text !== '' && text === serialOf(id)),
    size: BigInt(get('size', matches(/^\d{1,19}$/))),
    sectorSize: Number(get('sector_size', matches(/^(512|4096)$/))),
    readonly: get('readonly', matches(/^(true|false)$/)) === 'true',
    chap:
      mode === 'none'
        ? { mode }
        : {
            mode,
            nonce: get('chap_nonce', matches(/^[0-9a-f]{32}$/)),
            key: get('chap_key', matches(/^[0-9a-f]{8}$/)),
          },
  }
}
