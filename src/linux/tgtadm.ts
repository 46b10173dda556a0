// tgtadm(8): what the tgt daemon serves, and changes to it.

import type { Host } from '../host/host.ts'
import { isCode } from '../host/local-files.ts'
import { Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

export interface TgtSession {
  readonly sid: string
  readonly initiator: string
  /** Numbers of its connections. */
  readonly connections: readonly string[]
}

export interface TgtUnit {
  readonly lun: number
  readonly serial: string
  /** Rounded to millions, as the daemon prints it. */
  readonly megabytes: bigint
  readonly blockSize: number
  readonly online: boolean
  readonly readonly: boolean
  readonly thin: boolean
  /** '' when there is none. */
  readonly path: string
}

export interface TgtTarget {
  readonly tid: number
  readonly name: string
  readonly ready: boolean
  readonly nopInterval: number
  readonly nopCount: number
  /** A session is listed until its last write has ended: the daemon forgets it no sooner. */
  readonly sessions: readonly TgtSession[]
  readonly units: readonly TgtUnit[]
  /** Names and addresses of initiators; nobody may log in while it is empty. */
  readonly acl: readonly string[]
}

export interface UnitRequest {
  readonly tid: number
  readonly lun: number
  readonly path: string
  readonly blockSize: number
}

/** What the daemon says against it; undefined when it obeyed. Whether it did is for a look to tell. */
export type Complaint = string | undefined

const TGTADM_MS = 10_000
/** EINVAL: whatever the daemon does not do; the words on stderr say which it is. */
const REFUSED = 22
/** ENOTCONN: no daemon behind the control socket, or no socket. */
const NO_DAEMON = 107

/** All targets; undefined when the daemon does not run. */
export async function listTargets(host: Host, op: Op): Promise<TgtTarget[] | undefined> {
  const text = await show(host, 'target', op)
  return text === undefined ? undefined : parseTargets(text)
}

/** IP:PORT of all portals; throws Unavailable when the daemon does not run. */
export async function listPortals(host: Host, op: Op): Promise<string[]> {
  const text = await show(host, 'portal', op)
  if (text === undefined) throw noDaemon(host)
  return [...text.matchAll(/^Portal: (\S+),\d+$/gm)].map(([, portal = '']) => portal)
}

export async function addPortal(host: Host, portal: string, op: Op): Promise<Complaint> {
  return await change(host, ['--op', 'new', '--mode', 'portal', '--param', `portal=${portal}`], op)
}

export async function createTarget(host: Host, tid: number, name: string, op: Op): Promise<Complaint> {
  return await change(host, ['--op', 'new', ...onTarget(tid), '--targetname', name], op)
}

/** Never by force: the daemon then refuses while a session is left. */
export async function deleteTarget(host: Host, tid: number, op: Op): Promise<Complaint> {
  return await change(host, ['--op', 'delete', ...onTarget(tid)], op)
}

/** For sessions that begin from now on. */
export async function setParameter(
  host: Host,
  tid: number,
  name: 'nop_interval' | 'nop_count',
  value: number,
  op: Op,
): Promise<Complaint> {
  return await change(host, ['--op', 'update', ...onTarget(tid), '--name', name, '--value', String(value)], op)
}

/** Writes are durable when they are flushed. */
export async function createUnit(host: Host, { tid, lun, path, blockSize }: UnitRequest, op: Op): Promise<Complaint> {
  // Not with `--bsoflags sync`: tgt carries out WRITE SAME sector by sector, and mkfs.xfs, which zeroes its log so, takes minutes.
  const file = ['--backing-store', path, '--bstype', 'rdwr', '--blocksize', String(blockSize)]
  return await change(host, ['--op', 'new', ...onUnit(tid, lun), ...file], op)
}

export async function updateUnit(
  host: Host,
  { tid, lun }: Pick<UnitRequest, 'tid' | 'lun'>,
  params: Readonly<Record<string, string>>,
  op: Op,
): Promise<Complaint> {
  const list = Object.entries(params).map(([key, value]) => `${key}=${value}`)
  return await change(host, ['--op', 'update', ...onUnit(tid, lun), '--params', list.join(',')], op)
}

export async function bindInitiator(host: Host, tid: number, name: string, op: Op): Promise<Complaint> {
  return await change(host, ['--op', 'bind', ...onTarget(tid), '--initiator-name', name], op)
}

/** Takes a name or an address off the list; neither ends sessions nor logins that have begun. */
export async function unbindInitiator(host: Host, tid: number, each: string, op: Op): Promise<Complaint> {
  const kind = /^(?:iqn|eui|naa)\./.test(each) ? '--initiator-name' : '--initiator-address'
  return await change(host, ['--op', 'unbind', ...onTarget(tid), kind, each], op)
}

/** The session goes when its writes have ended and its peer, if it is alive, has taken what was sent to it. */
export async function closeConnection(
  host: Host,
  tid: number,
  { sid, cid }: { sid: string; cid: string },
  op: Op,
): Promise<Complaint> {
  return await change(host, ['--op', 'delete', '--mode', 'conn', '--tid', String(tid), '--sid', sid, '--cid', cid], op)
}

/**
 * Is there a process of the daemon, though perhaps not one that answers? Killed, it lives until its last write has ended:
 * then only its first thread is a zombie.
 */
export async function daemonRuns({ files }: Host): Promise<boolean> {
  const pids = (await files.list('/proc'))?.filter(name => /^\d+$/.test(name)) ?? []
  const alive = await Promise.all(
    pids.map(async pid => {
      if ((await unlessGone(files.read(`/proc/${pid}/comm`)))?.trim() !== 'tgtd') return false
      const isZombie = /^State:\s+[ZX]/m.test((await unlessGone(files.read(`/proc/${pid}/status`))) ?? 'State: X')
      return !isZombie || ((await unlessGone(files.list(`/proc/${pid}/task`))) ?? []).length > 1
    }),
  )
  return alive.includes(true)
}

/** Is there a control socket, of a daemon that runs or of one that was killed? One look: over ssh each costs. */
export async function hasSocket({ files }: Host): Promise<boolean> {
  return (await files.facts('/run/tgtd/socket.0')) !== undefined
}

async function unlessGone<T>(look: Promise<T>): Promise<T | undefined> {
  try {
    return await look
  } catch (error) {
    if (isCode(error, 'ESRCH')) return undefined
    throw error
  }
}

export function noDaemon(host: Host): Unavailable {
  return new Unavailable({
    asked: `ask tgtd on ${host.name}`,
    found: 'nothing answers on its control socket',
    next: 'start it there: systemctl start tgt',
  })
}

async function show(host: Host, mode: 'target' | 'portal', op: Op): Promise<string | undefined> {
  const { code, stdout } = await host.run(
    {
      file: 'tgtadm',
      args: ['--lld', 'iscsi', '--op', 'show', '--mode', mode],
      okCodes: [0, NO_DAEMON],
      timeoutMs: TGTADM_MS,
      onAbort: 'kill',
    },
    op,
  )
  return code === NO_DAEMON ? undefined : stdout
}

async function change(host: Host, args: readonly string[], op: Op): Promise<Complaint> {
  const { code, stderr } = await host.run(
    {
      file: 'tgtadm',
      args: ['--lld', 'iscsi', ...args],
      okCodes: [0, REFUSED, NO_DAEMON],
      timeoutMs: TGTADM_MS,
      onAbort: 'kill',
    },
    op,
  )
  if (code === NO_DAEMON) throw noDaemon(host)
  return code === 0 ? undefined : stderr.trim().replace(/^tgtadm: /, '') || 'tgtd refused it'
}

const onTarget = (tid: number) => ['--mode', 'target', '--tid', String(tid)]
const onUnit = (tid: number, lun: number) => ['--mode', 'logicalunit', '--tid', String(tid), '--lun', String(lun)]

/** Throws Unavailable for text that ends in the middle of a target. */
function parseTargets(text: string): TgtTarget[] {
  return text
    .split(/^(?=Target \d+: )/m)
    .filter(block => block.trim() !== '')
    .map(block => {
      const [, tid = '', name = ''] = /^Target (\d+): (\S+)$/m.exec(block) ?? []
      const sections = new Map(block.split(/^ {4}(?=\S)/m).map(each => splitHead(each)))
      const acl = sections.get('ACL information:')
      if (tid === '' || acl === undefined) {
        throw new Unavailable({ asked: 'list targets', found: `tgtadm printed "${block.trim()}"`, next: 'call again' })
      }
      const system = propertiesOf(sections.get('System information:') ?? '')
      return {
        tid: Number(tid),
        name,
        ready: system.get('State') === 'ready',
        nopInterval: Number(system.get('Nop interval') ?? 0),
        nopCount: Number(system.get('Nop count') ?? 0),
        sessions: itemsOf(sections.get('I_T nexus information:') ?? '', 'I_T nexus').map(parseSession),
        units: itemsOf(sections.get('LUN information:') ?? '', 'LUN').map(parseUnit),
        acl: acl.split('\n').flatMap(line => (line.trim() === '' ? [] : [line.trim()])),
      }
    })
}

function splitHead(text: string): [head: string, rest: string] {
  const end = text.indexOf('\n')
  return end < 0 ? [text, ''] : [text.slice(0, end), text.slice(end + 1)]
}

/** Items begin at eight blanks with their kind and number; what belongs to one stands further in. */
function itemsOf(section: string, kind: string): [number: string, rest: string][] {
  return section.split(/^ {8}(?=\S)/m).flatMap(item => {
    const [head, rest] = splitHead(item)
    return head.startsWith(`${kind}: `) ? [[head.slice(kind.length + 2), rest]] : []
  })
}

function propertiesOf(text: string): Map<string, string> {
  return new Map([...text.matchAll(/^ +([^:\n]+): *(.*)$/gm)].map(([, key = '', value = '']) => [key, value.trim()]))
}

function parseSession([sid, text]: [string, string]): TgtSession {
  const initiator = /^ +Initiator: (\S+)/m.exec(text)?.[1] ?? ''
  return { sid, initiator, connections: [...text.matchAll(/^ +Connection: (\d+)$/gm)].map(([, cid = '']) => cid) }
}

function parseUnit([lun, text]: [string, string]): TgtUnit {
  const properties = propertiesOf(text)
  const get = (key: string): string => properties.get(key) ?? ''
  const [, megabytes = '0', blockSize = '0'] = /^(\d+) MB, Block size: (\d+)$/.exec(get('Size')) ?? []
  return {
    lun: Number(lun),
    serial: get('SCSI SN'),
    megabytes: BigInt(megabytes),
    blockSize: Number(blockSize),
    online: get('Online') === 'Yes',
    readonly: get('Readonly') === 'Yes',
    thin: get('Thin-provisioning') === 'Yes',
    path: get('Backing store path') === 'None' ? '' : get('Backing store path'),
  }
}
