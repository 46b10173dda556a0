// A node with open-iscsi in memory, for tests of the connector: portals that answer as they are told to, sessions and disks in /sys.
import { type FakeHost, fakeHost } from '../src/host/fake.ts'
import type { Command, Host, Output } from '../src/host/host.ts'
import { CommandFailed } from '../src/volume/errors.ts'
import { Secret } from '../src/volume/secret.ts'
import { deviceOf, GIB, kernelOf } from './fixtures.ts'

/** What a node finds behind a portal. */
export interface Portal {
  /** Exit code of a login; 0 makes a session. */
  login: number
  /** A login ends when this does. */
  readonly until?: Promise<void>
  /** VPD page 0x80 as the target prints it; undefined: it shows no unit to this node. */
  serial: string | undefined
  size: bigint
  sectorSize: number
  readonly: boolean
  /** Where one target has many units: those of this node by their numbers, instead of the one that the portal shows. */
  readonly units?: Map<string, Unit>
}

type Unit = Pick<Portal, 'serial' | 'size' | 'sectorSize' | 'readonly'>

interface FakeDisk {
  readonly lun: string
  readonly kname: string
  readonly sequence: string
  state: string
  /** What the kernel asked for last: at the scan or the last rescan. */
  seen: Unit
}

interface FakeSession {
  readonly target: string
  readonly portal: string
  state: string
  disk?: FakeDisk
  /** Those that were found after it. */
  readonly others?: Map<string, FakeDisk>
}

export interface FakeInitiator {
  readonly host: Host
  /** Every command that ran, in order. */
  readonly said: string[]
  readonly portals: Map<string, Portal>
  readonly sessions: Map<number, FakeSession>
  readonly kernel: FakeHost['kernel']
  /** Programs that fail: what their command line begins with or contains, and how. */
  readonly faults: Map<string, number>
  /** What every file of the kernel shows now follows from the maps above; call it after changing them. */
  refresh(): void
  /** What the records say, by their paths. */
  records(): Map<string, string>
}

const ROOT = '/proc/self/root'
export const RECORD = `# BEGIN RECORD 2.1.8
node.name = NAME
node.tpgt = 1
node.startup = automatic
iface.iscsi_ifacename = default
iface.transport_name = tcp
node.session.initial_login_retry_max = 8
node.session.auth.authmethod = None
node.session.timeo.replacement_timeout = 120
node.session.scan = auto
node.conn[0].timeo.login_timeout = 15
node.conn[0].timeo.noop_out_interval = 5
node.conn[0].timeo.noop_out_timeout = 5
# END RECORD
`

export function portalOf(serial: string | undefined, rest: Partial<Portal> = {}): Portal {
  return { login: 0, serial, size: GIB, sectorSize: 512, readonly: false, ...rest }
}

export function fakeInitiator(portals: Readonly<Record<string, Portal>>): FakeInitiator {
  const base = fakeHost([], { '/proc/self/mountinfo': '' })
  const { kernel } = base
  const said: string[] = []
  const sessions = new Map<number, FakeSession>()
  const known = new Map(Object.entries(portals))
  const faults = new Map<string, number>()
  let count = 0

  const refresh = () => {
    for (const path of [...kernel.keys()]) {
      if (/^\/sys\/(class\/iscsi_session|block|dev)\//.test(path)) kernel.delete(path)
    }
    for (const [sid, session] of sessions) show(kernel, sid, session)
  }
  const byHost = (name: string) => sessions.get(Number(/session(\d+)/.exec(name)?.[1]))
  const byDisk = (kname: string) =>
    [...sessions.values()]
      .flatMap(session => disksOf(session).map(disk => ({ session, disk })))
      .find(({ disk }) => disk.kname === kname)
  const unitOf = (portal: Portal, lun: string): Unit | undefined => (portal.units ? portal.units.get(lun) : portal)

  const logIn = async (args: readonly string[]): Promise<number> => {
    const [target = '', portal = ''] = [argumentAfter(args, '-T'), argumentAfter(args, '-p').replace(/,1$/, '')]
    const there = known.get(portal)
    await there?.until
    if (there?.login !== 0) return there?.login ?? 8
    if ([...sessions.values()].some(each => each.target === target && each.portal === portal)) return 15
    count += 1
    sessions.set(count, { target, portal, state: 'LOGGED_IN', others: new Map() })
    return 0
  }
  const iscsiadm = async (args: readonly string[]): Promise<number> => {
    const name = `${ROOT}/etc/iscsi/nodes/${argumentAfter(args, '-T')}`
    if (args.includes('--login')) return await logIn(args)
    if (args.includes('--logout')) return sessions.delete(Number(argumentAfter(args, '-r'))) ? 0 : 22
    if (args.includes('new')) {
      const record = `${name}/${argumentAfter(args, '-p').replace(/^\[?(.*?)\]?:(\d+),1$/, '$1,$2,1')}/default`
      if (kernel.get(record) === '') return 6
      kernel.set(record, RECORD)
      return 0
    }
    const own = [...kernel.keys()].filter(path => path.startsWith(`${name}/`))
    if (own.some(path => kernel.get(path) === '')) return 6
    for (const path of own) kernel.delete(path)
    return own.length > 0 ? 0 : 21
  }
  const rescan = (kname: string): number => {
    const { session, disk } = byDisk(kname) ?? {}
    const portal = session && known.get(session.portal)
    if (!disk || !portal) return 1
    // Of a unit that is gone the kernel forgets the size, and nothing else: measured.
    disk.seen = { ...(unitOf(portal, disk.lun) ?? { ...disk.seen, size: 0n }) }
    return 0
  }
  const scan = (session: FakeSession, portal: Portal, lun: string): void => {
    const unit = unitOf(portal, lun)
    if (unit?.serial === undefined || disksOf(session).some(disk => disk.lun === lun)) return
    count += 1
    const kname = `sd${String.fromCharCode(97 + (count % 26))}`
    const disk: FakeDisk = { lun, kname, sequence: String(count), state: 'running', seen: { ...unit } }
    if (portal.units && session.disk) session.others?.set(lun, disk)
    else session.disk ??= disk
  }
  const remove = (session: FakeSession, lun: string): void => {
    if (session.disk?.lun === lun) delete session.disk
    else session.others?.delete(lun)
  }
  const write = (path: string, text: string): number => {
    const session = byHost(path)
    const portal = session && known.get(session.portal)
    if (path.startsWith('/etc/')) kernel.set(`${ROOT}${path}`, text)
    else if (path.endsWith('/scan') && session && portal) scan(session, portal, text.split(' ')[2] ?? '')
    else if (path.endsWith('/delete') && session) remove(session, /(\d+)\/delete$/.exec(path)?.[1] ?? '')
    else if (path.endsWith('/rescan')) return rescan(path.split('/')[3] ?? '')
    return 0
  }
  const perform = async ({ file, args, stdin }: Command): Promise<Partial<Output>> => {
    const words = args.map(String)
    const of = words.find(each => each.startsWith('of='))?.slice(3)
    if (file === 'nsenter')
      return await perform({ ...CHILD, file: words[5] ?? '', args: args.slice(6), ...(stdin && { stdin }) })
    if (file === 'modprobe')
      kernel.set(words[1] === 'sd_mod' ? '/sys/bus/scsi/drivers/sd/bind' : '/sys/class/iscsi_transport/tcp/handle', '')
    if (file === 'iscsiadm') return { code: await iscsiadm(words) }
    if (file === 'dd' && of === undefined) return { stdout: '\0'.repeat(4096) }
    if (file === 'dd') return { code: write(of ?? '', stdin instanceof Secret ? stdin.reveal() : (stdin ?? '')) }
    return {}
  }
  const host: Host = {
    ...base,
    files: {
      ...base.files,
      async removeFile(path) {
        kernel.delete(path)
      },
      removeDirectory: async () => undefined,
    },
    async run(command) {
      const text = [command.file, ...command.args.map(String)].join(' ')
      said.push(text)
      const fault = [...faults].find(([part]) => text.includes(part))
      const {
        code = 0,
        stdout = '',
        stderr = '',
      } = fault ? { code: fault[1], stderr: fault[1] === 1 ? 'Device or resource busy' : '' } : await perform(command)
      refresh()
      if (!(command.okCodes ?? [0]).includes(code))
        throw new CommandFailed({ asked: text, found: `exit code ${code}`, next: 'see the fake', code })
      return { code, stdout, stderr }
    },
  }
  const records = () => new Map([...kernel].filter(([path]) => path.startsWith(`${ROOT}/etc/iscsi/nodes/`)))
  return { host, said, portals: known, sessions, kernel, faults, refresh, records }
}

const CHILD = { timeoutMs: 1, onAbort: 'kill' } as const

function argumentAfter(args: readonly string[], option: string): string {
  return args[args.indexOf(option) + 1] ?? ''
}

function disksOf({ disk, others }: FakeSession): FakeDisk[] {
  return [...(disk ? [disk] : []), ...(others?.values() ?? [])]
}

function show(kernel: Map<string, string>, sid: number, session: FakeSession): void {
  const at = `/sys/class/iscsi_session/session${sid}`
  const connection = `${at}/device/connection${sid}:0/iscsi_connection/connection${sid}:0`
  const [, address = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(session.portal) ?? []
  const files: Record<string, string> = {
    [`${at}/targetname`]: `${session.target}\n`,
    [`${at}/state`]: `${session.state}\n`,
    [`${at}/recovery_tmo`]: '120\n',
    [`${connection}/persistent_address`]: `${address}\n`,
    [`${connection}/persistent_port`]: `${port}\n`,
    [`${at}/device/../scsi_host/host${sid}/scan`]: '',
  }
  for (const disk of disksOf(session)) {
    const { kname, lun, sequence, state } = disk
    const { size, sectorSize, readonly, serial = '' } = disk.seen
    files[`${at}/device/target${sid}:0:0/${sid}:0:0:${lun}/block/${kname}`] = ''
    const device = deviceOf(size, {
      path: `/dev/${kname}`,
      kname,
      number: `8:${sequence}`,
      sectorSize,
      readonly,
      sequence,
    })
    Object.assign(files, kernelOf(device), {
      [`/sys/block/${kname}/device/../../iscsi_session/session${sid}`]: '',
      [`/sys/block/${kname}/device/state`]: `${state}\n`,
      [`/sys/block/${kname}/device/wwid`]: `naa.6001405${serial.trim().slice(0, 25)}\n`,
      // As it reads when the page's code, 0x80, is taken for UTF-8.
      [`/sys/block/${kname}/device/vpd_pg80`]: `\0\uFFFD\0!${serial}\0`,
    })
  }
  for (const [path, text] of Object.entries(files)) kernel.set(path, text)
}
