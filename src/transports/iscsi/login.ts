// Login: all portals at once, the first that gives the disk wins, and the others are left again without keeping anybody waiting.
import type { Host } from '../../host/host.ts'
import type { Device } from '../../linux/device.ts'
import { listSessions, type Session, scanForUnit, type Unit } from '../../linux/iscsi-session.ts'
import { createRecord, type Initiator, login, logout, type RecordSettings } from '../../linux/iscsiadm.ts'
import { ensureModules } from '../../linux/modprobe.ts'
import { deleteDisk } from '../../linux/scsi.ts'
import { NotYet, waitFor } from '../../linux/wait.ts'
import { Unavailable, WrongDevice } from '../../volume/errors.ts'
import { type Op, steady } from '../../volume/op.ts'
import type { VolumeId } from '../../volume/types.ts'
import { proveRoute, requireLoggedIn } from './proof.ts'
import type { IscsiRoute } from './route.ts'

export interface LoginRequest {
  readonly id: VolumeId
  readonly route: IscsiRoute
  readonly settings: RecordSettings
}

const FEATURES = [
  { module: 'iscsi_tcp', shownBy: '/sys/class/iscsi_transport/tcp' },
  { module: 'sd_mod', shownBy: '/sys/bus/scsi/drivers/sd' },
]
/** A target shows a unit at once or not at all; to make a disk of it takes a driver several commands. */
const UNIT_MS = 10_000
const DISK_MS = 60_000

/** What an attempt can take beyond the time limit of a login: a second try of iscsid's, and its own start. */
const SLACK_MS = 20_000

export async function loadModules({ host }: Initiator, op: Op): Promise<void> {
  await ensureModules(host, FEATURES, op)
}

/**
 * Answers the disk, and when the last attempt has come to its end. No session is scanned but the one that wins, so there
 * is never a second disk, which would have a page cache of its own.
 */
export function logInAnywhere(
  host: Host,
  initiator: Initiator,
  { id, route, settings }: LoginRequest,
  op: Op,
): { device: Promise<Device>; ended: Promise<void> } {
  const { target, portals } = route
  const { promise, resolve, reject } = Promise.withResolvers<Device>()
  const whatever = steady(op) // an attempt whose caller has gone must still come to its end
  const reasons = new Map<string, string>()
  let isDecided = false
  let turn: Promise<void> = Promise.resolve()

  const settle = async (portal: string): Promise<void> => {
    const session = (await listSessions(host, target)).find(each => each.portal === portal)
    if (!session) {
      reasons.set(portal, 'its session was lost at once')
      return
    }
    try {
      if (isDecided) return await logout(initiator, session.sid, whatever)
      const device = await useSession(host, id, session, route, op)
      isDecided = true
      resolve(device)
    } catch (error) {
      reasons.set(portal, reasonOf(error))
      // Another portal may lead elsewhere, but what bears this target's name must be this volume everywhere.
      const isWrong = error instanceof WrongDevice && !isDecided
      isDecided ||= isWrong
      try {
        await logout(initiator, session.sid, whatever)
      } finally {
        if (isWrong) reject(error)
      }
    }
  }
  const attempt = async (portal: string): Promise<void> => {
    try {
      await createRecord(initiator, { target, portal }, settings, whatever)
      const timeoutMs = 2000 * settings.loginTimeoutSeconds + SLACK_MS
      const reason = await login(initiator, { target, portal }, timeoutMs, whatever)
      if (reason !== undefined) {
        reasons.set(portal, reason)
        return
      }
      const mine = turn.then(() => settle(portal))
      turn = mine.catch(() => undefined)
      await mine
    } catch (error) {
      reasons.set(portal, reasonOf(error))
      op.log.warn({ portal, cause: reasonOf(error) }, 'an attempt to log in failed')
    }
  }
  const ended = Promise.all(portals.map(attempt)).then(() => {
    if (!isDecided) reject(nowhere(id, reasons))
  })
  return { device: promise, ended }
}

/** The disk of a session that is there for other volumes; a disk that this finds and that cannot be used goes again. */
export async function joinSession(
  host: Host,
  id: VolumeId,
  session: Session,
  route: IscsiRoute,
  op: Op,
): Promise<Device> {
  requireLoggedIn(`connect ${id}`, session)
  const known = session.units.map(({ at }) => at)
  try {
    return await useSession(host, id, session, route, op)
  } catch (error) {
    const units = (await listSessions(host, route.target)).flatMap(each => each.units)
    const left = units.find(({ at, lun }) => lun === route.lun && !known.includes(at))
    if (left) await deleteDisk(host, left.at, steady(op))
    throw error
  }
}

/** The disk of the route's unit, looked for and proved. */
async function useSession(host: Host, id: VolumeId, { sid }: Session, route: IscsiRoute, op: Op): Promise<Device> {
  const asked = `wait for LUN ${route.lun} of session ${sid}`
  const look = async (): Promise<Unit> => {
    const now = (await listSessions(host, route.target)).find(each => each.sid === sid)
    const unit = now?.units.find(each => each.lun === route.lun)
    if (now && !unit) await scanForUnit(host, now, route.lun, op)
    if (!unit) throw new NotYet(now ? 'the target shows no such unit to this node' : 'the session is gone')
    return unit
  }
  await waitFor({ asked, timeoutMs: UNIT_MS }, look, op)
  const disk = async (): Promise<string> => {
    const { kname } = await look()
    if (kname === undefined) throw new NotYet('no driver has made a disk of it')
    return kname
  }
  const kname = await waitFor({ asked, timeoutMs: DISK_MS }, disk, op)
  return await proveRoute(host, id, kname, route, op)
}

function nowhere(id: VolumeId, reasons: ReadonlyMap<string, string>): Unavailable {
  return new Unavailable({
    asked: `connect ${id}`,
    found: [...reasons].map(([portal, reason]) => `${portal}: ${reason}`).join('; '),
    next: 'check the network of the node, the storage host and its exports; call again',
  })
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
