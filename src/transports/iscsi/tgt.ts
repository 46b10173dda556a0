// Target `tgt`: the daemon tgtd, for hosts without LIO; it cannot grow a volume that is exported, and keeps nothing.
import { randomInt } from 'node:crypto'
import type { Host } from '../../host/host.ts'
import {
  addPortal,
  bindInitiator,
  type Complaint,
  closeConnection,
  createTarget,
  createUnit,
  daemonRuns,
  deleteTarget,
  hasSocket,
  listPortals,
  listTargets,
  noDaemon,
  setParameter,
  type TgtTarget,
  unbindInitiator,
  updateUnit,
} from '../../linux/tgtadm.ts'
import { NotYet, waitFor } from '../../linux/wait.ts'
import { EffectMissing, NotSupported, Unavailable, WrongDevice } from '../../volume/errors.ts'
import type { Op } from '../../volume/op.ts'
import { EMPTY_TARGET, requireVolumeOfTarget, volumeOfTarget } from './names.ts'
import type { ExportDocument, Target, TargetKind } from './target.ts'
import {
  canStay,
  faultsOf,
  initiatorsOf,
  isMark,
  isReadonly,
  LUNS,
  lunFor,
  NOP,
  newMark,
  requireSame,
  requireServable,
  seenLun,
  shown,
  unitOf,
  wrongRightsOf,
} from './tgt-faults.ts'

/** Longer than it takes to find a node dead. */
const SESSIONS_MS = 25_000
/** A process that was killed goes when its last write has ended. */
const DAEMON_MS = 10_000
const TID_TRIES = 5

export const tgt: TargetKind = {
  runs: hasSocket,
  open: (host): Target => ({
    // One for all initiators, and with the target it goes: whoever comes when nobody is left gets another.
    chooseLun: ([first]) => first ?? seenLun(randomInt(256, LUNS)),
    growsOnline: false,
    apply: (document, op) => apply(host, document, op),
    async revoke(name, initiator, op) {
      requireVolumeOfTarget(name)
      await revoke(host, name, initiator, op)
    },
    async remove(name, op) {
      requireVolumeOfTarget(name)
      const target = await findTarget(host, name, op)
      if (target) await withdraw(host, target, op)
    },
    async grow(target) {
      const next = 'unpublish the volume, expand it, and publish it again'
      throw new NotSupported({ asked: `grow ${target}`, found: 'tgt cannot do that while it is exported', next })
    },
    async find(name, op) {
      const target = await findTarget(host, name, op)
      return target && (await shown(host, target))
    },
    async list(op) {
      const ours = (await targetsOf(host, op)).filter(({ name }) => volumeOfTarget(name) !== undefined)
      return await Promise.all(ours.map(target => shown(host, target)))
    },
  }),
}

async function apply(host: Host, document: ExportDocument, op: Op): Promise<void> {
  requireVolumeOfTarget(document.target)
  requireServable(document)
  // tgtd opens the file in its only thread for control: on a dead disk all of its exports would hang.
  await requireFile(host, document)
  const targets = await listTargets(host, op)
  if (!targets) throw noDaemon(host)
  await ensureEmptyTarget(host, targets, op)
  await ensurePortals(host, document.portals, op)
  const before = targets.find(({ name }) => name === document.target)
  if (before) requireSame(before, document)
  const isKept = before !== undefined && canStay(before, document)
  if (before && !isKept) await withdraw(host, before, op)
  const complaint = await adjust(host, isKept ? before : await create(host, document, op), document, op)
  // Nobody can log in before all of it is true.
  const { tid, acl } = await requireFaultless(host, document, complaint, faultsOf, op)
  const complaints: Complaint[] = []
  for (const name of initiatorsOf(document).filter(each => !acl.includes(each)))
    complaints.push(await bindInitiator(host, tid, name, op))
  await requireFaultless(host, document, complaints.join('; '), wrongRightsOf, op)
}

/**
 * Without any target tgtd closes connections as soon as it has accepted them. To open-iscsi that happens between the connect
 * and the first message of a login, which Linux remembers and iscsid does not: every later attempt of that session fails
 * with ENOTCONN (2.1.8, Linux 6.1). With a target, whoever comes for another is told so, and tries again.
 */
async function ensureEmptyTarget(host: Host, targets: readonly TgtTarget[], op: Op): Promise<void> {
  if (targets.some(({ name }) => name === EMPTY_TARGET)) return
  const complaint = await createTarget(host, newTid(), EMPTY_TARGET, op)
  if (complaint !== undefined) op.log.warn({ complaint }, `tgtd did not make ${EMPTY_TARGET}`)
}

/** Looks what is there now, and whether it is what the document says. */
async function requireFaultless(
  host: Host,
  document: ExportDocument,
  complaint: Complaint,
  judge: typeof faultsOf,
  op: Op,
): Promise<TgtTarget> {
  const target = await findTarget(host, document.target, op)
  const faults = target ? judge(target, document) : ['it is gone']
  if (target && faults.length === 0) return target
  throw new EffectMissing({
    asked: `export ${document.backing.path} as ${document.target}`,
    found: [...faults, ...(complaint ? [`tgtd says: ${complaint}`] : [])].join('; '),
    next: 'call again, and see the log of tgtd',
  })
}

async function requireFile(host: Host, { target, backing }: ExportDocument): Promise<void> {
  const facts = await host.files.facts(backing.path)
  const isRight = facts?.kind === 'block' || (facts?.kind === 'file' && facts.size === backing.size)
  if (isRight) return
  const found = facts ? `it is a ${facts.kind} of ${facts.size} bytes, not of ${backing.size}` : 'it does not exist'
  throw new WrongDevice({ asked: `export ${backing.path} as ${target}`, found, next: 'look after the pool' })
}

/** An address that tgtd listens on for all addresses it cannot be told to listen on alone. */
async function ensurePortals(host: Host, wanted: readonly string[], op: Op): Promise<void> {
  const listens = async () => {
    const portals = await listPortals(host, op)
    return (portal: string) => {
      const port = portal.slice(portal.lastIndexOf(':'))
      return portals.includes(portal) || portals.includes(`${portal.startsWith('[') ? '[::]' : '0.0.0.0'}${port}`)
    }
  }
  const isThere = await listens()
  const missing = wanted.filter(portal => !isThere(portal))
  if (missing.length === 0) return
  for (const portal of missing) await addPortal(host, portal, op)
  const isThereNow = await listens()
  const failed = missing.filter(portal => !isThereNow(portal))
  if (failed.length === 0) return
  throw new Unavailable({
    asked: `listen on ${failed.join(', ')}`,
    found: `tgtd on ${host.name} cannot`,
    next: 'check iscsi.portals: addresses of the storage host itself, and ports that nobody else has',
  })
}

/** Random: no login that began with another target ends with this one. */
const newTid = (): number => randomInt(1, 0x7fff_ffff)

/** Nobody may log in to it yet. */
async function create(host: Host, document: ExportDocument, op: Op): Promise<TgtTarget> {
  const { target, backing, sectorSize } = document
  const complaints: Complaint[] = []
  for (let tries = 0; tries < TID_TRIES; tries += 1) {
    const tid = newTid()
    const complaint = await createTarget(host, tid, target, op)
    complaints.push(complaint)
    if (complaint !== undefined) continue
    complaints.push(
      await createUnit(host, { tid, lun: lunFor(document), path: backing.path, blockSize: sectorSize }, op),
    )
    break
  }
  const made = await findTarget(host, target, op)
  if (made && unitOf(made.units)) return made
  const next = 'call again, and see the log of tgtd'
  const found = complaints.findLast(each => each !== undefined) ?? 'tgtd does not show it'
  throw new Unavailable({ asked: `export ${backing.path} as ${target}`, found, next })
}

/** What can be changed while it is there. */
async function adjust(host: Host, target: TgtTarget, document: ExportDocument, op: Op): Promise<Complaint> {
  const { tid, nopInterval, nopCount } = target
  const unit = unitOf(target.units)
  if (nopInterval !== NOP.interval) await setParameter(host, tid, 'nop_interval', NOP.interval, op)
  if (nopCount !== NOP.count) await setParameter(host, tid, 'nop_count', NOP.count, op)
  if (unit?.serial === document.serial && unit.thin && unit.readonly === isReadonly(document)) return undefined
  const { serial } = document
  const readonly = isReadonly(document) ? '1' : '0'
  // The kernel of the initiator names the disk by the last 31 digits of the id.
  const params = { scsi_id: serial, scsi_sn: serial, thin_provisioning: '1', readonly }
  return await updateUnit(host, { tid, lun: lunFor(document) }, params, op)
}

/** With the last initiator the target goes; others get another one, and log in to it again by themselves. */
async function revoke(host: Host, name: string, initiator: string, op: Op): Promise<void> {
  const target = await findTarget(host, name, op)
  if (!target) return
  const others = target.acl.filter(each => each !== initiator && !isMark(each))
  const isHolder = target.acl.includes(initiator) || target.sessions.some(each => each.initiator === initiator)
  if (!isHolder && others.length > 0 && !target.acl.some(isMark)) return
  await withdraw(host, target, op)
  const unit = unitOf(target.units)
  const facts = unit && (await host.files.facts(unit.path))
  if (!unit || !facts || others.length === 0) return
  await apply(
    host,
    {
      target: name,
      serial: unit.serial,
      backing: { path: unit.path, size: facts.size },
      sectorSize: unit.blockSize,
      portals: [],
      rights: others.map(each => ({ initiator: each, readonly: unit.readonly, lun: seenLun(unit.lun) })),
    },
    op,
  )
}

/**
 * Takes the target away, whole. A mark goes on the list of initiators first, because whoever leaves that list leaves no
 * other trace: a call that finds what a killed one left must not take the rest for whole. A session is listed until its
 * last write has ended, and the target cannot be deleted before: after this nothing of it reaches the file.
 */
async function withdraw(host: Host, { name }: TgtTarget, op: Op): Promise<void> {
  const look = async () => {
    const targets = await targetsOf(host, op)
    const { tid, acl = [], sessions = [] } = targets.find(each => each.name === name) ?? {}
    if (tid === undefined) return
    await ensureEmptyTarget(host, targets, op)
    if (!acl.some(isMark)) await bindInitiator(host, tid, newMark(), op)
    for (const each of acl.filter(name => !isMark(name))) await unbindInitiator(host, tid, each, op)
    for (const { sid, connections } of sessions)
      for (const cid of connections) await closeConnection(host, tid, { sid, cid }, op)
    const complaint = await deleteTarget(host, tid, op)
    const left = await findTarget(host, name, op)
    if (!left) return
    const names = left.sessions.map(({ initiator }) => initiator).join(', ')
    throw new NotYet(names === '' ? (complaint ?? 'it is still there') : `${names} still has a session`)
  }
  await waitFor({ asked: `take ${name} away`, timeoutMs: SESSIONS_MS }, look, op)
}

async function findTarget(host: Host, name: string, op: Op): Promise<TgtTarget | undefined> {
  return (await targetsOf(host, op)).find(each => each.name === name)
}

/** None when the daemon is dead, for certain: nobody serves anything then. */
async function targetsOf(host: Host, op: Op): Promise<TgtTarget[]> {
  const targets = await listTargets(host, op)
  if (targets) return targets
  const look = async () => {
    if (await daemonRuns(host)) throw new NotYet('a process of tgtd runs, but does not answer on its control socket')
  }
  await waitFor({ asked: `ask tgtd on ${host.name}`, timeoutMs: DAEMON_MS }, look, op)
  return []
}
