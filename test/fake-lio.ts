// What the kernel's LIO (Linux 6.1) does when configfs is changed: as measured, and as its source says.
import { type Attribute, type Entry, type Folder, folder, refuse, settings, show } from './fake-tree.ts'

export interface Device {
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

export interface Group {
  enabled: boolean
  readonly attributes: Map<string, string>
  readonly acls: Map<string, Acl>
  readonly portals: Set<string>
  readonly luns: Map<string, Lun>
}

export function deviceFolder(onRemove: () => void, devices: Map<Folder, Device>): Folder {
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
export const isSet = (text = '') => text !== '' && !text.startsWith('NULL')

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
      ['nopin_response_timeout', '30'],
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

export function targetFolder(
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
