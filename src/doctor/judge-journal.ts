// Verdicts on the journal of the node: does the kernel show what the entries say?
import { basename } from 'node:path'
import { isReadOnly, type Mount } from '../linux/mount.ts'
import type { Entry, Target } from '../node/journal.ts'
import { isInterrupted, isKeptForPod } from '../node/recover.ts'
import type { KeptVolume } from '../pools/pool.ts'
import { digest } from '../volume/ids.ts'
import { isSameNode } from '../volume/node-id.ts'
import type { VolumeId } from '../volume/types.ts'
import { type Finding, ok, type Subject, type Trouble, trouble } from './finding.ts'
import { judgeDraft } from './judge-pools.ts'
import { isNode, type Records } from './records.ts'

export function judgeJournal(records: Records): Finding[] {
  return [
    ...records.node.journal.flatMap(noted => {
      if ('draft' in noted) return [judgeDraft(noted.path, noted.modified, records.at)]
      if (!('unreadable' in noted)) return []
      return trouble(
        'mismatch',
        { kind: 'entry', name: noted.path, changed: noted.modified },
        {
          found: noted.unreadable,
          remedy: 'use the version of the driver that wrote it, or remove it when nothing is staged',
        },
      )
    }),
    ...records.entries.flatMap(({ entry, path, modified }) => judgeEntry(records, entry, path, modified)),
    ...judgeUnknown(records),
  ]
}

/** Ephemeral volumes of this node that the journal does not know: no pod has them. */
function judgeUnknown(records: Records): Finding[] {
  const isOwn = ({ volume }: KeptVolume) => volume?.ephemeral && isSameNode(volume.ephemeral.node, records.node.nodeId)
  const left = records.volumes.filter(each => isOwn(each) && records.noted(each.id) === 'no')
  return left.map(({ id, changed, data }) =>
    trouble(
      'orphan',
      { kind: 'entry', name: id, volume: id, changed, size: data?.size },
      {
        found: 'an ephemeral volume that is not in the journal: its publish did not end, or the journal was lost',
        remedy: 'none needed if it holds nothing: the next start of the driver removes it; otherwise its pod does',
      },
    ),
  )
}

function judgeEntry(records: Records, entry: Entry, path: string, changed: Date): Finding[] {
  const { id, targets } = entry
  const [device] = records.devicesOf(id)
  const subject: Subject = { kind: 'entry', name: id, volume: id, changed, size: device?.device.size }
  if (basename(path) !== `${digest(id)}.json`) {
    const found = `${path} is an entry of ${id}, whose entry has another name`
    return [trouble('mismatch', subject, { found, remedy: 'find out who moved or copied it, and undo that' })]
  }
  if (isInterrupted(entry)) return [trouble('mismatch', subject, interruption(entry))]
  const absent = absenceOf(records, entry)
  // What is to be forgotten as a whole, or cannot be seen from here, is one finding.
  if (absent && !absent.isInPart) return [absentFinding(subject, absent)]
  const wrong = stagingDifference(records, entry) ?? recordDifference(records, entry)
  const own = absent ? absentFinding(subject, absent) : wrong ? trouble('mismatch', subject, wrong) : ok(subject)
  return [own, ...targets.map(target => judgeTarget(records, entry, target, changed))]
}

/** Begun is not done: a mismatch, and the one that may pass by itself, when the call is under way. */
function interruption(entry: Entry): Trouble {
  const { id, doing, stagingPath, targets } = entry
  const begun = [
    ...(doing ? [`${doing} at ${stagingPath}`] : []),
    ...targets.flatMap(target => (target.doing ? [`${target.doing} at ${target.path}`] : [])),
  ]
  return {
    found: `begun and not seen to end: ${begun.join(', ')}`,
    ...(isKeptForPod(entry)
      ? { remedy: 'let the pod start, or delete it: its data would be gone if this was taken back' }
      : {
          remedy: 'let the call for the volume be repeated, or restart the driver: both settle it',
          repair: { do: 'settle', id } as const,
        }),
  }
}

interface Absence extends Trouble {
  readonly verdict: 'ghost' | 'mismatch'
  /** Targets are still there. */
  readonly isInPart: boolean
}

function absentFinding(subject: Subject, { verdict, found, remedy, repair }: Absence): Finding {
  return trouble(verdict, subject, { found, remedy, repair })
}

/** That what was staged is not there, if so. */
function absenceOf(records: Records, { id, stagingPath, capability, targets, ephemeral }: Entry): Absence | undefined {
  const devices = records.devicesOf(id)
  const isThere = capability.access === 'mount' ? records.mountsAt(stagingPath).length > 0 : devices.length > 0
  if (isThere) return undefined
  const found =
    capability.access === 'mount' ? `nothing is mounted at ${stagingPath}` : 'no device of the volume is attached'
  const still = targets.map(({ path }) => path).filter(path => records.mountsAt(path).length > 0)
  if (still.length > 0) {
    const remedy = 'end the pods that use it, then let the volume be unpublished and unstaged'
    return { verdict: 'ghost', isInPart: true, found: `${found}, but something is at ${still.join(', ')}`, remedy }
  }
  const mayLive = devices.some(({ device }) => {
    const own = records.node.devices.find(each => each.device.path === device.path)
    return capability.access === 'mount' && own?.isAlive !== false
  })
  if (mayLive) {
    const remedy = 'run doctor where the driver runs, in its mount namespace'
    const hidden = `${found}, but its filesystem may be mounted in another namespace`
    return { verdict: 'mismatch', isInPart: false, found: hidden, remedy }
  }
  if (ephemeral) {
    const remedy = 'none needed: the next start of its pod, or its end, settles it'
    return { verdict: 'ghost', isInPart: false, found: `${found}, as after a reboot`, remedy }
  }
  const remedy = 'none needed: the next stage or unstage of the volume settles it'
  const repair = { do: 'forget', id } as const
  return { verdict: 'ghost', isInPart: false, found: `${found}, as after a reboot`, remedy, repair }
}

function stagingDifference(records: Records, { id, stagingPath, capability, readonly }: Entry): Trouble | undefined {
  if (capability.access !== 'mount') return undefined
  const mounts = records.mountsAt(stagingPath)
  const foreign = mounts.find(mount => isNode(mount) || records.shownBy(mount)?.id !== id)
  if (foreign) return occupied(records, foreign)
  if (mounts.every(mount => isReadOnly(mount) === readonly)) return undefined
  return readonly
    ? { found: `it was staged read-only, but ${stagingPath} is writable`, remedy: 'unpublish and unstage the volume' }
    : {
        found: `it was staged writable, but ${stagingPath} is read-only`,
        remedy: 'see the kernel log of the node: it may have met an error',
      }
}

/** What the node holds against what the pool says. */
function recordDifference(records: Records, { id }: Entry): Trouble | undefined {
  if (!records.sawPoolOf(id)) return undefined
  const kept = records.kept(id)
  if (!kept) {
    const found = 'it is staged, but its pool has no such volume'
    return { found, remedy: 'find out who removed it; copy its data before it is unstaged' }
  }
  if (kept.claims.length > 0 || kept.unreadable.length > 0) return undefined
  const remedy = 'publish it to this node again, or unstage it'
  return { found: 'it is staged here, but published to no node: another node may be given it', remedy }
}

function judgeTarget(records: Records, { id, capability }: Entry, target: Target, changed: Date): Finding {
  const { path, readonly } = target
  const subject: Subject = { kind: 'target', name: path, volume: id, changed }
  const mounts = records.mountsAt(path)
  const visible = mounts.at(-1)
  if (!visible) {
    return trouble('ghost', subject, {
      found: 'the volume was published there, but nothing is mounted there',
      remedy: 'let the volume be unpublished from there',
      repair: { do: 'forget-target', id, path },
    })
  }
  const foreign = mounts.find(mount => isNode(mount) !== (capability.access === 'block') || !isOf(records, id, mount))
  if (foreign) return trouble('mismatch', subject, occupied(records, foreign))
  const isWritable = isNode(visible) ? records.shownBy(visible)?.device.readonly === false : !isReadOnly(visible)
  if (!readonly || !isWritable) return ok(subject)
  const found = 'the volume was published there read-only, but it is writable'
  return trouble('mismatch', subject, { found, remedy: 'end the pod, and let the volume be unpublished from there' })
}

/** Does the mount show the volume, by its device or by a view of it? */
function isOf(records: Records, id: VolumeId, mount: Mount): boolean {
  const shown = records.shownBy(mount)
  return records.devicesOf(id).some(own => [own, ...records.viewsOf(own)].some(each => each === shown))
}

function occupied(records: Records, mount: Mount): Trouble {
  const shown = records.shownBy(mount)
  const node = isNode(mount) ? `the node of /dev${mount.root}` : undefined
  const what = node ?? `${mount.source} (${mount.fsType})`
  const of = shown ? `, which shows ${shown.backing}` : node === undefined ? '' : ', which is attached to nothing'
  return {
    found: `${what} is at ${mount.path}${of}: it is not this volume`,
    remedy: 'end whatever uses that path; unmount it by hand',
  }
}
