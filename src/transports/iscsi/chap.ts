// CHAP secrets of a publish: both sides derive them from a key that they share, so that no secret ever travels.
import { createHash, createHmac } from 'node:crypto'
import type { HostFiles } from '../../host/host.ts'
import { Unavailable, VolumeInUse } from '../../volume/errors.ts'
import { Secret } from '../../volume/secret.ts'
import type { ChapRoute, IscsiRoute } from './route.ts'
import type { Chap, Credentials } from './target.ts'

/** Fewer bytes could be guessed. */
const SHORTEST_KEY = 32

/** What the secrets are for: of another volume, node or publish they are others. */
export interface ChapSubject {
  readonly target: string
  readonly initiator: string
}

/** The keys of a key file by their names, the one to use first. */
export type Keys = ReadonlyMap<string, Buffer>

/**
 * One key a line; the first is used for new publishes, the others for those that were made with them. Throws Unavailable
 * for a file that is missing, or has no key or one that is too short.
 */
export async function readKeys(files: HostFiles, path: string): Promise<Keys> {
  const refuse = (found: string) =>
    new Unavailable({
      asked: `read the CHAP keys in ${path}`,
      found,
      next: `give controller and nodes the same file: one key a line, at least ${SHORTEST_KEY} random characters each`,
    })
  const text = await files.read(path)
  if (text === undefined) throw refuse('the file is missing')
  const lines = text.split('\n').filter(line => line !== '')
  if (lines.length === 0) throw refuse('the file is empty')
  if (lines.some(line => line.length < SHORTEST_KEY)) throw refuse('a key is too short')
  return new Map(lines.map(line => [nameOf(line), Buffer.from(line)]))
}

/** Tells which key was used, and nothing about it. */
function nameOf(key: string): string {
  return createHash('sha256').update(`ashlar chap key name ${key}`).digest('hex').slice(0, 8)
}

const BY_STRENGTH: readonly ChapRoute['mode'][] = ['none', 'one-way', 'mutual']

/** Who could change what travels to the node could else make it log in without a proof. Throws VolumeInUse. */
export function requireStrength(least: ChapRoute['mode'], { target, chap: { mode } }: IscsiRoute): void {
  if (BY_STRENGTH.indexOf(mode) >= BY_STRENGTH.indexOf(least)) return
  throw new VolumeInUse({
    asked: `log in to ${target}`,
    found: `it was published with CHAP "${mode}", and this node wants at least "${least}"`,
    next: 'give the controller the same iscsi.chap, then unpublish the volume and publish it again',
  })
}

/** undefined without authentication. Throws Unavailable when the key is not in the file. */
export function deriveChap(keys: Keys, route: ChapRoute, subject: ChapSubject): Chap | undefined {
  if (route.mode === 'none') return undefined
  const key = keys.get(route.key)
  if (!key) {
    throw new Unavailable({
      asked: `derive the CHAP secrets for ${subject.target}`,
      found: `there is no key ${route.key} in the key file, only ${[...keys.keys()].join(', ')}`,
      next: 'give controller and nodes the same key file; keep old keys in it until nothing is published with them',
    })
  }
  const make = (label: string): Credentials => {
    const text = ['ashlar chap', label, subject.target, subject.initiator, route.nonce].join('\n')
    // LIO takes one that begins with NULL for none.
    const password = `k${createHmac('sha256', key).update(text).digest('base64url').slice(0, 31)}`
    return { user: `ashlar-${label}-${route.nonce.slice(0, 8)}`, password: new Secret(password) }
  }
  const initiator = make('initiator')
  return route.mode === 'mutual' ? { ...initiator, mutual: make('target') } : initiator
}
