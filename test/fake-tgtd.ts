// A tgtd that lives in a test: it obeys tgtadm as the real one does, and its driver can be killed after any command.
import { fakeHost } from '../src/host/fake.ts'
import type { Command, Host, Output } from '../src/host/host.ts'
import { EMPTY_TARGET } from '../src/transports/iscsi/names.ts'
import { CommandFailed } from '../src/volume/errors.ts'

interface Unit {
  path: string
  sn: string
  id: string
  blockSize: string
  readonly: boolean
  thin: boolean
  size: bigint
}
interface Session {
  sid: number
  initiator: string
  /** Looks until its last write has ended; the session stays as long. */
  writes: number
  closed: boolean
}
export interface FakeTarget {
  tid: number
  name: string
  nop: Record<string, string>
  units: Map<number, Unit>
  acl: string[]
  sessions: Session[]
}

export class Killed extends Error {}

export interface FakeTgtd {
  readonly host: Host
  readonly all: FakeTarget[]
  /** Without the empty one. */
  readonly targets: FakeTarget[]
  readonly portals: string[]
  /** Every command that changes something, without what they all begin with. */
  readonly changes: string[]
  /** The driver dies when this many more changes are done; undefined: never. */
  killAfter(changes: number | undefined): void
  /** Called before each change. */
  watch(look: (change: string) => void): void
  running: boolean
  /** Changes that match are refused. */
  refuses: RegExp | undefined
  /** /proc shows these processes. */
  processes: Record<string, string>
  /** The first half of a login; undefined when refused. The answered function is the second half. */
  beginLogin(name: string, initiator: string): (() => Session | undefined) | undefined
}

/** `sizeOf`: of backing files; undefined when absent. */
export function fakeTgtd(sizeOf: (path: string) => bigint | undefined): FakeTgtd {
  const all: FakeTarget[] = []
  const portals: string[] = ['[::]:3260', '0.0.0.0:3260']
  const changes: string[] = []
  let left: number | undefined
  let look = (_change: string): void => undefined
  let lastSid = 0
  const base = fakeHost([])
  const host: Host = {
    ...base,
    files: {
      ...base.files,
      read: async path => fake.processes[path],
      list: async path => {
        const below = Object.keys(fake.processes).filter(each => each.startsWith(`${path}/`))
        return below.length === 0
          ? undefined
          : [...new Set(below.map(each => each.slice(path.length + 1).split('/')[0] ?? ''))]
      },
      facts: async path => {
        const size = sizeOf(path)
        const rest = { allocated: 0n, inode: 1n, device: '8:0', links: 1, modified: new Date(0) }
        return size === undefined ? undefined : { kind: 'file' as const, size, ...rest }
      },
    },
    run: async (command, op) => {
      op.signal.throwIfAborted()
      return run(command)
    },
  }

  function run(command: Command): Output {
    const words = command.args.map(String)
    const get = (option: string): string => words[words.indexOf(`--${option}`) + 1] ?? ''
    const has = (option: string): boolean => words.includes(`--${option}`)
    if (command.file !== 'tgtadm' || get('lld') !== 'iscsi') throw new Error(`${command.file} ${words.join(' ')}`)
    const answer = (code: number, stdout = '', stderr = ''): Output => {
      if ((command.okCodes ?? [0]).includes(code)) return { code, stdout, stderr }
      throw new CommandFailed({ asked: words.join(' '), found: stderr, next: '', code })
    }
    if (!fake.running) return answer(107, '', 'tgtadm: failed to send request hdr to tgt daemon\n')
    if (get('op') === 'show') {
      if (get('mode') === 'portal') return answer(0, portals.map(each => `Portal: ${each},1\n`).join(''))
      settle()
      return answer(0, all.map(print).join(''))
    }
    const change = words.slice(2).join(' ')
    if (left === 0) throw new Killed(change)
    look(change)
    changes.push(change)
    const complaint = fake.refuses?.test(change) ? 'invalid request' : apply(`${get('op')} ${get('mode')}`, get, has)
    if (left !== undefined) {
      left -= 1
      // The command was done, and its answer never arrives.
      if (left === 0) throw new Killed(change)
    }
    return complaint === undefined ? answer(0) : answer(22, '', `tgtadm: ${complaint}\n`)
  }

  /** Closed sessions whose writes have ended go. */
  function settle(): void {
    for (const target of all) {
      for (const session of target.sessions) session.writes = Math.max(0, session.writes - 1)
      target.sessions = target.sessions.filter(({ closed, writes }) => !closed || writes > 0)
    }
  }

  function apply(what: string, get: (option: string) => string, has: (option: string) => boolean): string | undefined {
    if (what === 'new portal') {
      const portal = get('param').replace('portal=', '')
      if (portals.includes(portal) || !portal.startsWith('10.')) return 'invalid request'
      portals.push(portal)
      return undefined
    }
    const tid = Number(get('tid'))
    const target = all.find(each => each.tid === tid)
    if (what === 'new target') {
      if (target || all.some(({ name }) => name === get('targetname'))) return 'this target already exists'
      all.push({ tid, name: get('targetname'), nop: {}, units: new Map(), acl: [], sessions: [] })
      return undefined
    }
    if (!target) return "can't find the target"
    const name = has('initiator-name') ? get('initiator-name') : get('initiator-address')
    const unit = target.units.get(Number(get('lun')))
    switch (what) {
      case 'delete target':
        if (target.sessions.length > 0) return 'this target is still active'
        all.splice(all.indexOf(target), 1)
        return undefined
      case 'update target':
        target.nop[get('name')] = get('value')
        return undefined
      case 'bind target':
        if (target.acl.includes(name)) return 'this access control rule already exists'
        target.acl.push(name)
        return undefined
      case 'unbind target':
        if (!target.acl.includes(name)) return 'this access control rule does not exist'
        target.acl.splice(target.acl.indexOf(name), 1)
        return undefined
      case 'delete conn':
        for (const session of target.sessions) if (String(session.sid) === get('sid')) session.closed = true
        return undefined
      case 'new logicalunit': {
        const size = sizeOf(get('backing-store'))
        if (unit) return 'this logical unit number already exists'
        if (size === undefined) return 'invalid request'
        const stamp = { sn: `beaf${tid}${get('lun')}`, id: 'IET', readonly: false, thin: false }
        const rest = { path: get('backing-store'), blockSize: get('blocksize'), size }
        target.units.set(Number(get('lun')), { ...stamp, ...rest })
        return undefined
      }
      case 'update logicalunit': {
        if (!unit) return "can't find the logical unit"
        const params = new Map(
          get('params')
            .split(',')
            .map(each => each.split('=') as [string, string]),
        )
        unit.sn = params.get('scsi_sn') ?? unit.sn
        unit.id = params.get('scsi_id') ?? unit.id
        unit.readonly = params.get('readonly') === '1'
        unit.thin = params.get('thin_provisioning') === '1'
        return undefined
      }
      default:
        throw new Error(`fake tgtd: ${what}`)
    }
  }

  const fake: FakeTgtd = {
    host,
    all,
    get targets() {
      return all.filter(({ name }) => name !== EMPTY_TARGET)
    },
    portals,
    changes,
    killAfter: count => {
      left = count
    },
    watch: each => {
      look = each
    },
    running: true,
    refuses: undefined,
    processes: {},
    beginLogin(name, initiator) {
      const found = all.find(target => target.name === name && target.acl.includes(initiator))
      if (!found) return undefined
      return () => {
        // The second half goes by the number of the target alone.
        const target = all.find(({ tid }) => tid === found.tid)
        if (!target) return undefined
        lastSid += 1
        const session = { sid: lastSid, initiator, writes: 0, closed: false }
        target.sessions.push(session)
        return session
      }
    },
  }
  return fake
}

/** As tgtadm 1.0.85 prints it. */
function print({ tid, name, nop, units, acl, sessions }: FakeTarget): string {
  const yes = (is: boolean): string => (is ? 'Yes' : 'No')
  const lun = (n: number, unit: Unit): string[] => [
    `        LUN: ${n}`,
    '            Type: disk',
    `            SCSI ID: ${unit.id}`,
    `            SCSI SN: ${unit.sn}`,
    `            Size: ${Math.round(Number(unit.size) / 1e6)} MB, Block size: ${unit.blockSize}`,
    '            Online: Yes',
    '            Removable media: No',
    '            Prevent removal: No',
    `            Readonly: ${yes(unit.readonly)}`,
    '            SWP: No',
    `            Thin-provisioning: ${yes(unit.thin)}`,
    '            Backing store type: rdwr',
    `            Backing store path: ${unit.path}`,
    `            Backing store flags: `,
  ]
  return [
    `Target ${tid}: ${name}`,
    '    System information:',
    '        Driver: iscsi',
    '        State: ready',
    ...(nop['nop_interval'] === undefined ? [] : [`        Nop interval: ${nop['nop_interval']}`]),
    ...(nop['nop_interval'] === undefined ? [] : [`        Nop count: ${nop['nop_count'] ?? 0}`]),
    '    I_T nexus information:',
    ...sessions.flatMap(({ sid, initiator }) => [
      `        I_T nexus: ${sid}`,
      `            Initiator: ${initiator} alias: node: a`,
      '            Connection: 0',
      '                IP Address: 10.77.0.11',
    ]),
    '    LUN information:',
    ...[...units].flatMap(([n, unit]) => lun(n, unit)),
    '    Account information:',
    '    ACL information:',
    ...acl.map(each => `        ${each}`),
    '',
  ].join('\n')
}
