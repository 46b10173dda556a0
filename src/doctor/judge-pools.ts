// Verdicts on what lies in the pools: volumes, snapshots, groups of them, claims, drafts and trash.

import { basename } from 'node:path'
import type { Inventory, KeptGroup, KeptSnapshot, KeptVolume, Remains } from '../pools/pool.ts'
import type { Attachment } from '../transports/transport.ts'
import { targetOfCopier, WIPER } from '../volume/claim.ts'
import { parseEphemeralId, parseGroupId, parseKeptId, parseSnapshotId } from '../volume/ids.ts'
import { type Finding, ok, type Subject, trouble } from './finding.ts'
import type { Survey } from './survey.ts'

/** A document is written in milliseconds: after this nobody is at it any more. */
const STALE_MS = 600_000

const RESTORE = 'restore the file, or use the version of the driver that wrote it'

export function judgePools({ pools, node, at }: Survey): Finding[] {
  return pools.flatMap(({ name, inventory }) => [
    ...inventory.volumes.flatMap(each => [
      judgeVolume(name, each, node?.attachments ?? []),
      ...judgeClaims(each, inventory, at),
    ]),
    ...inventory.snapshots.map(each => judgeSnapshot(name, each, at)),
    ...inventory.groups.map(each => judgeGroup(name, each)),
    ...inventory.remains.map(each => judgeRemains(name, each)),
    ...inventory.drafts.map(({ path, changed }) => judgeDraft(path, changed, at)),
  ])
}

function judgeVolume(pool: string, kept: KeptVolume, attachments: readonly Attachment[]): Finding {
  const { id, path, volume, data, createdSize, unreadable, changed } = kept
  const isId = parseKeptId(id)?.pool === pool
  const subject: Subject = { kind: 'volume', name: isId ? id : path, volume: id, changed, size: data?.size }
  const record = `${path}/volume.json`
  const bad = unreadable.find(each => each.path === record)
  if (bad) return trouble('mismatch', subject, { found: bad.why, remedy: RESTORE })
  if (!volume || !isId) {
    const found = isId ? `there is no ${record}` : `${path} does not bear the id of a volume of pool ${pool}`
    return trouble('orphan', subject, { found, remedy: 'look at it; move it away by hand if nobody misses it' })
  }
  if (volume.id !== id) {
    const found = `${record} is the record of ${volume.id}`
    return trouble('mismatch', subject, { found, remedy: 'find out who moved or copied it, and undo that' })
  }
  if ((volume.ephemeral !== undefined) !== (parseEphemeralId(id) !== undefined)) {
    const found = `its id and ${record} disagree whether it goes with its pod: the driver does not touch it`
    return trouble('mismatch', subject, { found, remedy: 'find out who changed it, and undo that' })
  }
  if (!data) return trouble('ghost', subject, lostData(kept, attachments))
  if (createdSize !== undefined && data.size < createdSize) {
    const found = `its file was cut to ${data.size} bytes, it was created with ${createdSize}`
    return trouble('mismatch', subject, { found, remedy: 'stop using the volume; restore its data from a copy' })
  }
  return ok(subject)
}

function lostData({ id, path }: KeptVolume, attachments: readonly Attachment[]) {
  const last = attachments.find(each => each.id === id && each.isLastWay)
  return {
    found: `its file ${path}/data is gone`,
    remedy: last
      ? `${last.device.path} still shows the bytes: copy them before anything detaches it`
      : 'restore the file from a copy; or delete the volume',
  }
}

function judgeSnapshot(pool: string, kept: KeptSnapshot, at: Date): Finding {
  const { id, path, snapshot, dataSize, allocated, unreadable, changed } = kept
  const isId = parseSnapshotId(id)?.pool === pool
  const subject: Subject = {
    kind: 'snapshot',
    name: isId ? id : path,
    volume: snapshot?.source,
    changed,
    size: allocated,
  }
  const [bad] = unreadable
  if (bad) return trouble('mismatch', subject, { found: bad.why, remedy: RESTORE })
  if (!snapshot || !isId) {
    const found = isId
      ? `there is no ${path}/snapshot.json`
      : `${path} does not bear the id of a snapshot of pool ${pool}`
    return trouble('orphan', subject, { found, remedy: 'look at it; move it away by hand if nobody misses it' })
  }
  if (dataSize !== undefined && dataSize < snapshot.size) {
    const found = `its file was cut to ${dataSize} bytes, the snapshot has ${snapshot.size}`
    return trouble('mismatch', subject, { found, remedy: 'do not restore it; delete it' })
  }
  if (dataSize !== undefined || isFresh(changed, at)) return ok(subject)
  return trouble('ghost', subject, {
    found: 'its bytes were not copied to their end, or are gone',
    remedy: `none needed while the orchestrator repeats CreateSnapshot; otherwise delete it: ${snapshot.source} cannot be published before`,
  })
}

/** It appeared whole: what it lacks now was taken from it. */
function judgeGroup(pool: string, { id, path, group, damaged, allocated, unreadable, changed }: KeptGroup): Finding {
  const isId = parseGroupId(id)?.pool === pool
  const subject: Subject = { kind: 'group', name: isId ? id : path, changed, size: allocated }
  const [bad] = unreadable
  if (bad) return trouble('mismatch', subject, { found: bad.why, remedy: RESTORE })
  if (!group || !isId) {
    const found = isId ? `there is no ${path}/group.json` : `${path} does not bear the id of a group of pool ${pool}`
    return trouble('orphan', subject, { found, remedy: 'look at it; move it away by hand if nobody misses it' })
  }
  if (damaged.length === 0) return ok(subject)
  const found = `bytes of ${damaged.join(', ')} are gone`
  return trouble('mismatch', subject, { found, remedy: 'do not restore those; delete the group' })
}

function isFresh(changed: Date, at: Date): boolean {
  return at.getTime() - changed.getTime() < STALE_MS
}

/** A snapshot that was cut needs the claim until its bytes are there, and is judged itself; so is a draft. */
function isCopying(target: string, { snapshots, remains }: Inventory): boolean {
  return (
    snapshots.some(({ id, dataSize }) => id === target && dataSize === undefined) ||
    remains.some(({ kind, path, stale }) => kind === 'draft' && !stale && basename(path).startsWith(`${target}.`))
  )
}

function judgeClaims({ id, path, claims, unreadable, changed }: KeptVolume, inventory: Inventory, at: Date): Finding[] {
  return [
    ...claims.map(({ node }) => {
      const subject: Subject = { kind: 'claim', name: `${id} for ${node}`, volume: id, changed }
      const target = targetOfCopier(node)
      if (target !== undefined && !isCopying(target, inventory) && !isFresh(changed, at)) {
        const found = `it was begun to be copied to ${target}, and no node can have it since`
        const remedy =
          'none needed while that is under way; otherwise start the controller anew, which takes the claim away'
        return trouble('mismatch', subject, { found, remedy })
      }
      if (node !== WIPER) return ok(subject)
      const found = 'a wipe was begun, and not seen to end'
      return trouble('mismatch', subject, { found, remedy: `call again: ashlar wipe ${id} --destroy ${id}` })
    }),
    ...unreadable
      .filter(each => each.path.startsWith(`${path}/claims/`))
      .map(each =>
        trouble(
          'mismatch',
          { kind: 'claim', name: each.path, volume: id, changed },
          { found: each.why, remedy: RESTORE },
        ),
      ),
  ]
}

function judgeRemains(pool: string, { kind, path, changed, stale, claimed, allocated }: Remains): Finding {
  const subject: Subject = { kind, name: path, changed, size: allocated }
  if (claimed && kind === 'trash') {
    const found = 'a volume that a node has a claim on is in the trash'
    return trouble('mismatch', subject, { found, remedy: 'move it back to the volumes of the pool by hand' })
  }
  if (!stale) return ok(subject)
  const what = `a ${thingAt(path)} whose ${kind === 'draft' ? 'creation' : 'deletion'}`
  return trouble('orphan', subject, {
    found: `${what} did not come to its end`,
    remedy: 'none needed: the next start of the driver removes it',
    repair: { do: 'discard', pool, path },
  })
}

function thingAt(path: string): string {
  const [kind] = basename(path).split('-')
  return { snap: 'snapshot', group: 'group of snapshots' }[kind ?? ''] ?? 'volume'
}

/** A document that a killed process did not finish writing; the one that it was to replace is whole. */
export function judgeDraft(path: string, changed: Date, at: Date): Finding {
  const subject: Subject = { kind: 'draft', name: path, changed }
  if (isFresh(changed, at)) return ok(subject)
  const what = { found: 'a document that was never finished', remedy: 'remove it; nothing reads it' }
  return trouble('orphan', subject, { ...what, repair: { do: 'remove-draft', path } })
}
