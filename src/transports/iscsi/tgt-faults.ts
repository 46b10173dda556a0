// What tgt shows of a target, compared with what it is to be: what is wrong, and what may stay.
import { randomBytes } from 'node:crypto'
import type { Host } from '../../host/host.ts'
import type { TgtTarget, TgtUnit } from '../../linux/tgtadm.ts'
import { InvalidRequest, VolumeInUse, WrongDevice } from '../../volume/errors.ts'
import type { ExportDocument, Shown } from './target.ts'

/** LUN 0 is tgt's own controller. */
const CONTROLLER = 0
/** It has numbers of 14 bits. */
export const LUNS = 2 ** 14
/** As an initiator names it: above 255 tgt knows flat space addressing only (SAM-5, 4.7.7.3), which is bit 14. */
export const seenLun = (lun: number): number => LUNS + lun
/**
 * tgtd asks a silent initiator whether it lives, and closes its connection after so many seconds times answers missed.
 * Without this a node that died while it was read to keeps its session until TCP gives up, after a quarter of an hour.
 */
export const NOP = { interval: 5, count: 2 }

/** The begin of names that stand on the list of initiators of a target that is being taken away. */
const MARK = 'iqn.2026-01.dev.ashlar:going.'

export const isMark = (initiator: string): boolean => initiator.startsWith(MARK)
/** Nobody can guess it, and log in under it. */
export const newMark = (): string => `${MARK}${randomBytes(16).toString('hex')}`

/** tgt has one right for all initiators of a LUN, and takes secrets as arguments only, which everybody can read. */
export function requireServable({ target, rights }: ExportDocument): void {
  if (rights.some(({ chap }) => chap)) {
    const next = 'set iscsi.chap to none, or iscsi.target to lio'
    throw new InvalidRequest({ asked: `export ${target} with CHAP`, found: 'tgt cannot keep its secrets', next })
  }
  if (new Set(rights.map(({ readonly, lun }) => `${readonly} ${lun}`)).size > 1) {
    throw new VolumeInUse({
      asked: `export ${target} to one initiator for reading and to another for writing, or under different LUNs`,
      found: 'tgt has one right and one LUN for all of them',
      next: 'unpublish it from one, or set iscsi.target to lio',
    })
  }
}

/** An export of something else under this name is never changed. A LUN that was never stamped bears tgt's own number. */
export function requireSame({ name, tid, units }: TgtTarget, { serial, backing }: ExportDocument): void {
  const unit = unitOf(units)
  if (!unit) return
  const isUnstamped = unit.serial === `beaf${tid}${unit.lun}`
  if (unit.path === backing.path && (unit.serial === serial || isUnstamped)) return
  throw new WrongDevice({
    asked: `export ${backing.path} with serial ${serial} as ${name}`,
    found: `it shows ${unit.path || 'nothing'} with serial ${unit.serial}`,
    next: 'nothing was changed; find out who made it, and delete it with tgtadm',
  })
}

/**
 * May the target stay, and only be added to? Not when somebody loses a right: a login that began before that comes to its
 * end after it, however late, unless the target's number is gone. Nor one with the mark, nor without initiators: that may be
 * under way.
 */
export function canStay(target: TgtTarget, document: ExportDocument): boolean {
  const rightful = initiatorsOf(document)
  const present = [...target.acl, ...target.sessions.map(({ initiator }) => initiator)]
  if (target.acl.length === 0 || !present.every(each => rightful.includes(each))) return false
  const faults = lastingFaultsOf(target, document)
  if (faults.length === 0) return true
  if (target.sessions.length === 0) return false
  throw new VolumeInUse({
    asked: `export ${document.backing.path} as ${target.name}`,
    found: `it is in use, and ${faults.join('; ')}`,
    next: 'unpublish the volume and publish it again',
  })
}

/** What only another LUN would change. */
function lastingFaultsOf({ units }: TgtTarget, document: ExportDocument): string[] {
  const { backing, sectorSize } = document
  const unit = unitOf(units)
  if (!unit) return ['it has no LUN']
  return [
    ...(unit.lun === lunFor(document) ? [] : [`its LUN is ${unit.lun}, not ${lunFor(document)}`]),
    ...(unit.online ? [] : ['its LUN is offline']),
    ...(isSize(unit, backing.size) ? [] : [`its size is ${unit.megabytes} MB, not ${backing.size} bytes`]),
    ...(unit.blockSize === sectorSize ? [] : [`its sectors have ${unit.blockSize} bytes, not ${sectorSize}`]),
  ]
}

/** What is wrong with it; not, whom it does not know yet. */
export function faultsOf(target: TgtTarget, document: ExportDocument): string[] {
  const unit = unitOf(target.units)
  return [
    ...lastingFaultsOf(target, document),
    ...(unit?.path === document.backing.path ? [] : [`it shows ${unit?.path}`]),
    ...(unit?.serial === document.serial ? [] : [`its serial is ${unit?.serial}`]),
    ...(unit?.readonly === isReadonly(document) ? [] : [`its LUN is ${unit?.readonly ? 'read-only' : 'writable'}`]),
    ...(unit?.thin === true ? [] : ['it does not discard']),
    ...(target.ready ? [] : ['it is not ready']),
    ...(target.nopInterval === NOP.interval && target.nopCount === NOP.count ? [] : ['it never finds a node dead']),
    ...target.acl.filter(each => !initiatorsOf(document).includes(each)).map(each => `it accepts ${each}`),
  ]
}

/** Everything that is wrong with it. */
export function wrongRightsOf(target: TgtTarget, document: ExportDocument): string[] {
  const refused = initiatorsOf(document).filter(each => !target.acl.includes(each))
  return [...faultsOf(target, document), ...refused.map(each => `it refuses ${each}`)]
}

export async function shown({ files }: Host, { name, ready, units, acl, sessions }: TgtTarget): Promise<Shown> {
  const unit = unitOf(units)
  const facts = unit?.path ? await files.facts(unit.path) : undefined
  const readonly = unit?.readonly ?? false
  const holders = acl.filter(each => !isMark(each))
  const names = new Set([...holders, ...sessions.map(({ initiator }) => initiator)])
  return {
    target: name,
    serial: unit?.serial ?? '',
    backing: unit?.path ?? '',
    size: unit && facts && isSize(unit, facts.size) ? facts.size : (unit?.megabytes ?? 0n) * 1_000_000n,
    enabled: ready && unit?.online === true && acl.length > 0 && holders.length === acl.length,
    initiators: [...names].map(each => ({
      name: each,
      readonly,
      sessions: sessions.filter(({ initiator }) => initiator === each).length,
    })),
  }
}

export const unitOf = (units: readonly TgtUnit[]): TgtUnit | undefined => units.find(({ lun }) => lun !== CONTROLLER)
/** The same for all: this driver chooses it so. */
export const lunFor = ({ rights: [right] }: ExportDocument): number => (right?.lun ?? CONTROLLER) % LUNS
export const initiatorsOf = ({ rights }: ExportDocument): string[] => rights.map(({ initiator }) => initiator)
export const isReadonly = ({ rights }: ExportDocument): boolean => rights.some(({ readonly }) => readonly)

/** tgtd prints sizes in millions of bytes, rounded. */
function isSize({ megabytes }: TgtUnit, size: bigint): boolean {
  const difference = megabytes * 1_000_000n - size
  return difference <= 500_000n && difference >= -500_000n
}
