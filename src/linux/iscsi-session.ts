// iSCSI sessions of this node and the disks behind them, as the kernel shows them in /sys; no daemon and no udev is asked.
import type { Host } from '../host/host.ts'
import type { Op } from '../volume/op.ts'
import { scanHost } from './scsi.ts'

export interface Session {
  /** As iscsiadm counts them; never used twice between two boots. */
  readonly sid: number
  readonly target: string
  /** LOGGED_IN; FAILED while the initiator tries to get it back; FREE when it gave up, or before the first login. */
  readonly state: string
  /** IP:PORT of its connection, in the words of the record; '' while there is none. */
  readonly portal: string
  /** How long I/O waits for a lost session before it fails. */
  readonly patienceSeconds: string
  readonly units: readonly Unit[]
}

/** A logical unit of a session; without a block device as long as no driver has taken it. */
export interface Unit {
  readonly lun: number
  /** Its folder in /sys: unlike a name under /sys/block it is never another disk's. */
  readonly at: string
  readonly kname: string | undefined
}

const SESSIONS = '/sys/class/iscsi_session'

/** All sessions, or those with one target, or with targets of one kind. */
export async function listSessions(
  host: Host,
  which: string | ((target: string) => boolean) = () => true,
): Promise<Session[]> {
  const isMeant = typeof which === 'string' ? (target: string) => target === which : which
  const names = (await host.files.list(SESSIONS)) ?? []
  const sessions = await Promise.all(names.map(name => readSession(host, name, isMeant)))
  return sessions.filter(session => session !== undefined)
}

/** The session that a disk belongs to; undefined for disks that are no iSCSI disks. */
export async function sessionOfDisk(host: Host, kname: string): Promise<Session | undefined> {
  // Up from host0/session1/target0:0:0/0:0:0:0 to the session.
  const [name] = (await host.files.list(`/sys/block/${kname}/device/../../iscsi_session`)) ?? []
  return name === undefined ? undefined : await readSession(host, name, () => true)
}

/** Every disk of the sessions; more than one kname may show the same volume. */
export function disksOf(sessions: readonly Session[]): { session: Session; unit: Unit; kname: string }[] {
  return sessions.flatMap(session =>
    session.units.flatMap(unit => (unit.kname === undefined ? [] : [{ session, unit, kname: unit.kname }])),
  )
}

/** Makes the kernel look for this unit, and for no other; sessions are made without looking (node.session.scan). */
export async function scanForUnit(host: Host, { sid }: Session, lun: number, op: Op): Promise<void> {
  const folder = `${SESSIONS}/session${sid}/device/../scsi_host`
  for (const name of (await host.files.list(folder)) ?? []) await scanHost(host, `${folder}/${name}`, lun, op)
}

async function readSession(
  host: Host,
  name: string,
  isMeant: (target: string) => boolean,
): Promise<Session | undefined> {
  const at = `${SESSIONS}/${name}`
  const sid = /^session(\d+)$/.exec(name)?.[1]
  const target = (await host.files.read(`${at}/targetname`))?.trim()
  if (sid === undefined || target === undefined || !isMeant(target)) return undefined
  const [state = '', patience = ''] = await Promise.all([
    host.files.read(`${at}/state`),
    host.files.read(`${at}/recovery_tmo`),
  ])
  const below = (await host.files.list(`${at}/device`)) ?? []
  const connection = below.find(each => /^connection\d+:\d+$/.test(each))
  const targets = below.filter(each => /^target\d+:\d+:\d+$/.test(each))
  const units = await Promise.all(targets.map(each => readUnits(host, `${at}/device/${each}`)))
  return {
    sid: Number(sid),
    target,
    state: state.trim(),
    portal: connection === undefined ? '' : await readPortal(host, `${at}/device/${connection}`, connection),
    patienceSeconds: patience.trim(),
    units: units.flat(),
  }
}

async function readPortal(host: Host, connection: string, name: string): Promise<string> {
  const at = `${connection}/iscsi_connection/${name}`
  const [address, port] = await Promise.all(
    ['persistent_address', 'persistent_port'].map(file => host.files.read(`${at}/${file}`)),
  )
  const text = address?.trim() ?? ''
  if (text === '') return ''
  return `${text.includes(':') ? `[${text}]` : text}:${port?.trim()}`
}

/** HOST:CHANNEL:TARGET:LUN */
async function readUnits(host: Host, folder: string): Promise<Unit[]> {
  const names = ((await host.files.list(folder)) ?? []).filter(each => /^\d+:\d+:\d+:\d+$/.test(each))
  return await Promise.all(
    names.map(async name => {
      const [kname] = (await host.files.list(`${folder}/${name}/block`)) ?? []
      return { lun: Number(name.split(':')[3]), at: `${folder}/${name}`, kname }
    }),
  )
}
