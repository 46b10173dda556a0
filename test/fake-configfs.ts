// A configfs in memory that behaves as the kernel's LIO does (Linux 6.1), for tests that stop between any two changes.
import { posix } from 'node:path'
import type { Host, HostFiles } from '../src/host/host.ts'
import { Secret } from '../src/volume/secret.ts'

interface Attribute {
  readonly kind: 'attribute'
  readonly read: () => string
  readonly write?: (text: string) => void
}

interface Link {
  readonly kind: 'link'
  readonly to: Folder
  readonly destination: string
  readonly onRemove: () => void
}

interface Folder {
  readonly kind: 'folder'
  readonly entries: Map<string, Entry>
  /** Made by mkdir: only such a folder can be removed. */
  readonly isMade: boolean
  /** How many links lead here. */
  links: number
  /** What mkdir of this name makes; absent where the kernel allows none. */
  readonly make?: (name: string) => Folder
  readonly link?: (to: Folder) => () => void
  readonly onRemove?: () => void
}

type Entry = Attribute | Link | Folder

interface Device {
  file: string
  size: bigint
  serial: string
  sectorSize: number
  enabled: boolean
  exports: number
  options: Map<string, string>
}

interface Lun {
  device: Device | undefined
}

interface Acl {
  readonly auth: Map<string, string>
  readonly attributes: Map<string, string>
  readonly luns: Map<string, { lun: Lun | undefined; protect: '' | '0' | '1' }>
  sessions: number
}

interface Group {
  enabled: boolean
  readonly attributes: Map<string, string>
  readonly acls: Map<string, Acl>
  readonly portals: Set<string>
  readonly luns: Map<string, Lun>
}

/** What an initiator that logs in now would get, by what the kernel does. */
export interface Open {
  readonly initiator: string
  readonly access: 'none' | 'read-only' | 'read-write'
  readonly file: string
  /** '' when the target asks for none. */
  readonly user: string
  readonly password: string
  readonly targetUser: string
  readonly targetPassword: string
}

export interface FakeConfigfs {
  readonly host: Host
  /** Every change that was made, in order. */
  readonly changes: string[]
  /** Called before each change, with its description; what it throws, the caller gets, and the change is not made. */
  before: (change: string) => void
  /** Files below backstores, with their sizes. */
  readonly files: Map<string, bigint>
  readonly commands: string[]
  /** Who could log in to this target now. */
  open(target: string): Open[]
  /** An initiator that has the right logs in; false if it has not. */
  login(target: string, initiator: string): boolean
  sessions(target: string): number
  /** The whole tree as paths, and values of attributes that can be written. */
  dump(): string[]
}

const ROOT = '/sys/kernel/config/target'

function refuse(code: string, path: string): never {
  throw Object.assign(new Error(`${code}: refused, '${path}'`), { code })
}

const folder = (rest: Partial<Omit<Folder, 'kind' | 'links'>> = {}): Folder => ({
  kind: 'folder',
  entries: new Map(),
  isMade: false,
  links: 0,
  ...rest,
})
const show = (read: () => string): Attribute => ({ kind: 'attribute', read })

/** Attributes that keep what is written, one value of these. */
function settings(values: Map<string, string>, allowed = /^-?\d+$/): Folder {
  const entries = new Map<string, Entry>()
  for (const name of values.keys()) {
    const write = (text: string) => {
      const value = text.trim()
      if (!allowed.test(value)) refuse('EINVAL', name)
      values.set(name, value)
    }
    entries.set(name, { kind: 'attribute', read: () => `${values.get(name)}\n`, write })
  }
  return folder({ entries })
}

function deviceFolder(onRemove: () => void, devices: Map<Folder, Device>): Folder {
  const options = new Map(Object.entries({ emulate_tpu: '0', emulate_write_cache: '0', block_size: '0' }))
  const device: Device = { file: '', size: 0n, serial: '', sectorSize: 0, enabled: false, exports: 0, options }
  const attrib = settings(options)
  attrib.entries.set('block_size', {
    kind: 'attribute',
    read: () => `${device.sectorSize}\n`,
    write(text) {
      if (device.exports > 0 || !/^(512|1024|2048|4096)$/.test(text.trim())) refuse('EINVAL', 'block_size')
      device.sectorSize = Number(text)
    },
  })
  const entries = new Map<string, Entry>(
    Object.entries({
      attrib,
      info: show(
        () =>
          `Status: ${device.exports > 0 ? 'ACTIVATED' : 'DEACTIVATED'}  Max Queue Depth: 0  SectorSize: ${device.sectorSize}  HwMaxSectors: 16384\n` +
          `        TCM FILEIO ID: 0        File: ${device.file}  Size: ${device.size}  Mode: ${options.get('mode') ?? 'O_DSYNC'} Async: 0\n`,
      ),
      control: {
        kind: 'attribute',
        read: () => refuse('EACCES', 'control'),
        write(text) {
          for (const option of text.split(/[,\n]/)) {
            const [, key, value = ''] = /^(fd_dev_name|fd_dev_size|fd_buffered_io)=(.*)$/.exec(option) ?? []
            if (key === 'fd_dev_name') device.file = value
            if (key === 'fd_dev_size') device.size = BigInt(value)
            if (key === 'fd_buffered_io') options.set('mode', 'Buffered-WCE')
          }
        },
      },
      enable: {
        kind: 'attribute',
        read: () => (device.enabled ? '1\n' : '0\n'),
        write(text) {
          if (text.trim() !== '1') refuse('EINVAL', 'enable')
          if (device.enabled) refuse('EEXIST', 'enable')
          if (device.file === '' || device.size === 0n) refuse('EINVAL', 'enable')
          device.enabled = true
          device.sectorSize = 512
        },
      },
      wwn: folder({
        entries: new Map([
          [
            'vpd_unit_serial',
            {
              kind: 'attribute',
              read: () => `T10 VPD Unit Serial Number: ${device.serial}\n`,
              write(text) {
                if (device.exports > 0) refuse('EINVAL', 'vpd_unit_serial')
                device.serial = text.trim()
              },
            },
          ],
        ]),
      }),
      alua: folder(),
      statistics: folder(),
    }),
  )
  const made = folder({ isMade: true, entries, onRemove })
  devices.set(made, device)
  return made
}

const AUTH = ['userid', 'password', 'userid_mutual', 'password_mutual']
const isSet = (text = '') => text !== '' && !text.startsWith('NULL')

function authFolder(auth: Map<string, string>): Folder {
  const entries = new Map<string, Entry>()
  for (const name of AUTH) {
    auth.set(name, '')
    entries.set(name, {
      kind: 'attribute',
      read: () => `${auth.get(name)}\n`,
      write: text => void (text.length < 256 ? auth.set(name, text) : refuse('EINVAL', name)),
    })
  }
  const isMutual = () => isSet(auth.get('userid_mutual')) && isSet(auth.get('password_mutual'))
  entries.set(
    'authenticate_target',
    show(() => (isMutual() ? '1\n' : '0\n')),
  )
  return folder({ entries })
}

function aclFolder(group: Group, name: string, luns: ReadonlyMap<Folder, Lun>): Folder {
  const acl: Acl = {
    auth: new Map(),
    attributes: new Map([
      ['authentication', '-1'],
      ['nopin_timeout', '15'],
    ]),
    luns: new Map(),
    sessions: 0,
  }
  group.acls.set(name, acl)
  const info = () =>
    acl.sessions === 0
      ? `No active iSCSI Session for Initiator Endpoint: ${name}\n`
      : `InitiatorName: ${name}\nInitiatorAlias: \nLIO Session ID: 1   ISID: 0x80 TSIH: 1\n`
  const entries = new Map<string, Entry>([
    ['attrib', settings(acl.attributes)],
    ['auth', authFolder(acl.auth)],
    ['info', show(info)],
    ['cmdsn_depth', show(() => '64\n')],
    ['fabric_statistics', folder()],
    ['param', folder()],
  ])
  const make = (lun: string): Folder => {
    if (!/^lun_\d+$/.test(lun)) refuse('EINVAL', lun)
    const mapped: { lun: Lun | undefined; protect: '' | '0' | '1' } = { lun: undefined, protect: '' }
    acl.luns.set(lun, mapped)
    const protect: Attribute = {
      kind: 'attribute',
      read: () => (mapped.protect === '' ? '' : `${mapped.protect}\n`),
      write(text) {
        if (!/^[01]$/.test(text.trim())) refuse('EINVAL', 'write_protect')
        if (mapped.protect !== '') mapped.protect = text.trim() === '1' ? '1' : '0' // else without effect, as measured
      },
    }
    return folder({
      isMade: true,
      entries: new Map<string, Entry>([
        ['write_protect', protect],
        ['statistics', folder()],
      ]),
      link(to) {
        const lunBelow = luns.get(to)
        if (!lunBelow?.device) return refuse('EINVAL', lun)
        if (mapped.lun) return refuse('EINVAL', lun)
        mapped.lun = lunBelow
        mapped.protect = group.attributes.get('prod_mode_write_protect') === '1' ? '1' : '0'
        return () => {
          mapped.lun = undefined
          mapped.protect = ''
        }
      },
      onRemove: () => acl.luns.delete(lun),
    })
  }
  return folder({ isMade: true, entries, make, onRemove: () => group.acls.delete(name) })
}

function lunFolder(group: Group, name: string, devices: ReadonlyMap<Folder, Device>, luns: Map<Folder, Lun>): Folder {
  if (!/^lun_\d+$/.test(name)) refuse('EINVAL', name)
  const lun: Lun = { device: undefined }
  group.luns.set(name, lun)
  const entries = new Map<string, Entry>([
    ['alua_tg_pt_gp', show(() => '')],
    ['statistics', folder()],
  ])
  const made = folder({
    isMade: true,
    entries,
    link(to) {
      const device = devices.get(to)
      if (!device?.enabled) return refuse('ENODEV', name)
      if (lun.device) return refuse('EEXIST', name)
      lun.device = device
      device.exports += 1
      return () => {
        lun.device = undefined
        device.exports -= 1
        // The links of the ACLs stay, and map nothing any more: measured.
        for (const acl of group.acls.values())
          for (const mapped of acl.luns.values()) if (mapped.lun === lun) mapped.protect = ''
      }
    },
    onRemove: () => group.luns.delete(name),
  })
  luns.set(made, lun)
  return made
}

function groupFolder(groups: Map<string, Group>, name: string, devices: ReadonlyMap<Folder, Device>): Folder {
  if (!/^tpgt_\d+$/.test(name)) refuse('EINVAL', name)
  const attributes = new Map(
    Object.entries({
      authentication: '1',
      cache_dynamic_acls: '0',
      demo_mode_discovery: '1',
      demo_mode_write_protect: '1',
      generate_node_acls: '0',
      prod_mode_write_protect: '0',
    }),
  )
  const group: Group = { enabled: false, attributes, acls: new Map(), portals: new Set(), luns: new Map() }
  groups.set(name, group)
  const luns = new Map<Folder, Lun>()
  const portal = (at: string): Folder => {
    if (!/^(\d+(\.\d+){3}|\[[0-9a-f:]+\]):\d{1,5}$/.test(at)) refuse('EINVAL', at)
    group.portals.add(at)
    return folder({
      isMade: true,
      entries: new Map([['iser', show(() => '0\n')]]),
      onRemove: () => group.portals.delete(at),
    })
  }
  const enable: Attribute = {
    kind: 'attribute',
    read: () => (group.enabled ? '1\n' : '0\n'),
    write(text) {
      if (!/^[01]$/.test(text.trim())) refuse('EINVAL', 'enable')
      group.enabled = text.trim() === '1'
      if (!group.enabled) for (const acl of group.acls.values()) acl.sessions = 0
    },
  }
  const entries = new Map<string, Entry>([
    ['attrib', settings(attributes)],
    ['auth', authFolder(new Map())],
    ['enable', enable],
    ['dynamic_sessions', show(() => '')],
    ['param', folder()],
    ['acls', folder({ make: initiator => aclFolder(group, initiator, luns) })],
    ['lun', folder({ make: lun => lunFolder(group, lun, devices, luns) })],
    ['np', folder({ make: portal })],
  ])
  return folder({ isMade: true, entries, make: () => refuse('EPERM', name), onRemove: () => groups.delete(name) })
}

function targetFolder(
  targets: Map<string, Map<string, Group>>,
  name: string,
  devices: ReadonlyMap<Folder, Device>,
): Folder {
  if (!name.startsWith('iqn.')) refuse('EINVAL', name)
  const groups = new Map<string, Group>()
  targets.set(name, groups)
  const sessions = () =>
    [...groups.values()].flatMap(group => [...group.acls.values()]).reduce((n, a) => n + a.sessions, 0)
  const instance = folder({ entries: new Map([['sessions', show(() => `${sessions()}\n`)]]) })
  const entries = new Map<string, Entry>([
    ['fabric_statistics', folder({ entries: new Map([['iscsi_instance', instance]]) })],
    ['param', folder()],
  ])
  const make = (group: string) => groupFolder(groups, group, devices)
  return folder({ isMade: true, entries, make, onRemove: () => targets.delete(name) })
}

export function fakeConfigfs({ loaded = true }: { loaded?: boolean } = {}): FakeConfigfs {
  const devices = new Map<Folder, Device>()
  const targets = new Map<string, Map<string, Group>>()
  const hba = (name: string): Folder => {
    if (!/^(fileio|iblock|rd_mcp|pscsi)_\d+$/.test(name)) refuse('EINVAL', name)
    const make = (): Folder => {
      const made: Folder = deviceFolder(() => devices.delete(made), devices)
      return made
    }
    return folder({ isMade: true, entries: new Map([['hba_info', show(() => 'HBA\n')]]), make })
  }
  const lio = folder({
    entries: new Map<string, Entry>([
      ['core', folder({ entries: new Map([['alua', folder()]]), make: hba })],
      ['version', show(() => 'v5.0\n')],
    ]),
    make: name =>
      name === 'iscsi'
        ? folder({
            isMade: true,
            entries: new Map([['lio_version', show(() => 'v4.1\n')]]),
            make: target => targetFolder(targets, target, devices),
          })
        : refuse('EINVAL', name),
  })
  const config = folder()
  if (loaded) config.entries.set('target', lio)
  const fake: FakeConfigfs = {
    host: undefined as never,
    changes: [],
    before: () => undefined,
    files: new Map(),
    commands: [],
    open: target => [...(targets.get(target)?.values() ?? [])].flatMap(openOf),
    login(target, initiator) {
      const isOpen = this.open(target).some(each => each.initiator === initiator)
      for (const group of targets.get(target)?.values() ?? []) {
        const acl = group.acls.get(initiator)
        if (acl && isOpen) acl.sessions = 1
      }
      return isOpen
    },
    sessions: target =>
      [...(targets.get(target)?.values() ?? [])]
        .flatMap(group => [...group.acls.values()])
        .reduce((n, a) => n + a.sessions, 0),
    dump: () => dump(ROOT, lio),
  }
  const host: Host = {
    name: 'fake',
    files: configfsFiles(fake, config),
    hold: async () => async () => undefined,
    async run({ file, args }) {
      fake.commands.push([file, ...args.map(String)].join(' '))
      if (file !== 'modprobe') throw new Error(`there is no ${file} here`)
      config.entries.set('target', lio)
      return { code: 0, stdout: '', stderr: '' }
    },
  }
  return Object.assign(fake, { host })
}

function openOf(group: Group): Open[] {
  if (!group.enabled || group.portals.size === 0) return []
  return [...group.acls].flatMap(([initiator, { auth, attributes, luns }]) => {
    const own = attributes.get('authentication')
    const asks = own === '-1' ? group.attributes.get('authentication') === '1' : own === '1'
    if (asks && !(isSet(auth.get('userid')) && isSet(auth.get('password')))) return []
    const [mapped] = luns.values()
    const value = (name: string) => (asks && isSet(auth.get(name)) ? (auth.get(name) ?? '') : '')
    const isMutual = isSet(auth.get('userid_mutual')) && isSet(auth.get('password_mutual'))
    return [
      {
        initiator,
        access: !mapped || mapped.protect === '' ? 'none' : mapped.protect === '1' ? 'read-only' : 'read-write',
        file: mapped?.lun?.device?.file ?? '',
        user: value('userid'),
        password: value('password'),
        targetUser: isMutual ? value('userid_mutual') : '',
        targetPassword: isMutual ? value('password_mutual') : '',
      } as const,
    ]
  })
}

function configfsFiles(fake: FakeConfigfs, config: Folder): HostFiles {
  const find = (path: string): Entry | undefined => {
    const names = path
      .replace(/^\/sys\/kernel\/config\/?/, '')
      .split('/')
      .filter(Boolean)
    let entry: Entry | undefined = config
    for (const name of names) {
      if (entry?.kind === 'link') entry = entry.to
      entry = entry?.kind === 'folder' ? entry.entries.get(name) : undefined
    }
    return entry
  }
  const change = (text: string, work: () => void): void => {
    fake.before(text)
    work()
    fake.changes.push(text)
  }
  const parentOf = (path: string): Folder => {
    const parent = find(posix.dirname(path))
    return parent?.kind === 'folder' ? parent : refuse('ENOENT', path)
  }
  const makeAll = (path: string): void => {
    const present = find(path)
    if (present && present.kind !== 'folder') refuse('EEXIST', path)
    if (present) return
    if (path === '/sys/kernel/config' || path === '/') refuse('EPERM', path)
    makeAll(posix.dirname(path))
    if (find(path)) return // made together with its parent
    const parent = parentOf(path)
    const name = posix.basename(path)
    change(`mkdir ${path}`, () => parent.entries.set(name, parent.make?.(name) ?? refuse('EPERM', path)))
  }
  const unsupported = async (): Promise<never> => refuse('EPERM', 'configfs')
  return {
    async read(path) {
      const entry = find(path)
      if (entry?.kind === 'folder') refuse('EISDIR', path)
      return entry?.kind === 'attribute' ? entry.read() : undefined
    },
    async list(path) {
      const entry = find(path)
      return entry?.kind === 'folder' ? [...entry.entries.keys()].sort() : undefined
    },
    async facts(path) {
      const size = fake.files.get(path)
      const rest = { allocated: 0n, inode: 1n, device: '8:1', links: 1, modified: new Date(0) }
      if (size !== undefined) return { kind: 'file', size, ...rest }
      const entry = find(path)
      const kinds = { folder: 'directory', attribute: 'file', link: 'other' } as const
      return entry && path.startsWith('/sys/') ? { kind: kinds[entry.kind], size: 4096n, ...rest } : undefined
    },
    async readLink(path) {
      const entry = find(path)
      if (entry && entry.kind !== 'link') refuse('EINVAL', path)
      return entry?.destination
    },
    async write(path, content) {
      const text = content instanceof Secret ? content.reveal() : content
      const entry = find(path)
      if (entry?.kind === 'folder') refuse('EISDIR', path)
      if (entry?.kind !== 'attribute') refuse('ENOENT', path)
      if (!entry.write) refuse('EACCES', path)
      const write = entry.write
      // A write of no bytes never reaches the attribute.
      change(`write ${path} ${content instanceof Secret ? '***' : text}`, () => void (text !== '' && write(text)))
    },
    async link(path, destination) {
      const [parent, to] = [parentOf(path), find(destination)]
      if (find(path)) refuse('EEXIST', path)
      if (to?.kind !== 'folder') return refuse('ENOENT', path)
      change(`link ${path} ${destination}`, () => {
        const onRemove = parent.link?.(to) ?? refuse('EPERM', path)
        to.links += 1
        // The kernel goes up one folder too many, and through the name of its own: measured.
        const up = '../'.repeat(posix.dirname(path).split('/').length - '/sys/kernel/config'.split('/').length)
        const below = destination.slice('/sys/kernel/config/'.length)
        parent.entries.set(posix.basename(path), { kind: 'link', to, destination: up + below, onRemove })
      })
    },
    makeDirectory: async path => makeAll(path),
    async removeFile(path) {
      const entry = find(path)
      if (!entry) return
      if (entry.kind !== 'link') refuse('EPERM', path)
      change(`unlink ${path}`, () => {
        entry.onRemove()
        entry.to.links -= 1
        parentOf(path).entries.delete(posix.basename(path))
      })
    },
    async removeDirectory(path) {
      const entry = find(path)
      if (!entry) return
      if (entry.kind !== 'folder') return refuse('ENOTDIR', path)
      if (!entry.isMade) refuse('EPERM', path)
      if (entry.links > 0) refuse('EBUSY', path)
      const holdsMade = (each: Folder): boolean =>
        [...each.entries.values()].some(
          child => child.kind === 'link' || (child.kind === 'folder' && (child.isMade || holdsMade(child))),
        )
      if (holdsMade(entry)) refuse('ENOTEMPTY', path)
      change(`rmdir ${path}`, () => {
        entry.onRemove?.()
        parentOf(path).entries.delete(posix.basename(path))
      })
    },
    space: unsupported,
    createExclusive: unsupported,
    replace: unsupported,
    createSparse: unsupported,
    rename: unsupported,
  }
}

function dump(path: string, entry: Entry): string[] {
  if (entry.kind === 'link') return [`${path} -> ${entry.destination}`]
  if (entry.kind === 'attribute')
    return entry.write && !path.endsWith('/control') ? [`${path} = ${entry.read().trim()}`] : []
  return [path, ...[...entry.entries].flatMap(([name, child]) => dump(`${path}/${name}`, child))].sort()
}
