// The claims of a volume of the file pool: one file a node, created exclusively.
import { join } from 'node:path'
import type { HostFiles } from '../host/host.ts'
import { describeHolder, isNodeName } from '../volume/claim.ts'
import { VolumeInUse } from '../volume/errors.ts'
import { digest } from '../volume/ids.ts'
import type { Claim, NodeId } from '../volume/types.ts'
import { parseClaim } from './file-documents.ts'

/** Named by a digest: node ids come from outside. */
export function claimPath(volume: string, node: NodeId): string {
  return join(volume, 'claims', `${digest(node).slice(0, 32)}.json`)
}

/** Without the drafts that a killed process left. */
export async function claimNames(files: HostFiles, volume: string): Promise<string[]> {
  return (await files.list(join(volume, 'claims')))?.filter(name => name.endsWith('.json')) ?? []
}

export async function readClaims(files: HostFiles, volume: string): Promise<Claim[]> {
  const claims = await Promise.all(
    (await claimNames(files, volume)).map(async name => {
      const path = join(volume, 'claims', name)
      const text = await files.read(path)
      return text === undefined ? undefined : parseClaim(text, path)
    }),
  )
  return claims.filter(claim => claim !== undefined)
}

export async function requireUnclaimed(files: HostFiles, asked: string, volume: string): Promise<void> {
  const [claim] = await readClaims(files, volume)
  if (!claim) return
  throw new VolumeInUse({
    asked,
    found: describeHolder(claim),
    next: isNodeName(claim.node) ? 'unpublish it first' : 'call again when that has ended',
  })
}
