// A configfs in memory that behaves as the kernel's does, for tests that stop between any two changes.
import { posix } from 'node:path'
import type { Host, HostFiles } from '../src/host/host.ts'
import { Unavailable } from '../src/volume/errors.ts'
import { Secret } from '../src/volume/secret.ts'
import { type Device, deviceFolder, type Group, targetFolder } from './fake-lio.ts'
import { type Open, openOf, type Reached, reachedBy } from './fake-lio-view.ts'
import { type Entry, type Folder, folder, refuse, show } from './fake-tree.ts'

export interface FakeConfigfs {
  readonly host: Host
  /** Every change that was made, in order. */
  readonly changes: string[]
  /** Called before each change, with its description; what it throws, the caller gets, and the change is not made. */
  before: (change: string) => void
  /** Files below backstores, with their sizes. */
  readonly files: Map<string, bigint>
  readonly commands: string[]
  /** The disk below the files does not answer. */
  isDead: boolean
  /** Who could log in to this target now. */
  open(target: string): Open[]
  /** What initiators of this target reach: those that have a session, and those that log in now. */
  reached(target: string): Reached[]
  /** An initiator that has the right logs in; false if it has not. */
  login(target: string, initiator: string): boolean
  /** Of one initiator, or of all. */
  sessions(target: string, initiator?: string): number
  /** The whole tree as paths, and values of attributes that can be written. */
  dump(): string[]
}

const ROOT = '/sys/kernel/config/target'
const MODULES = ['target_core_mod', 'iscsi_target_mod']

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
  const modules = new Set(loaded ? MODULES : [])
  if (loaded) config.entries.set('target', lio)
  const fake: FakeConfigfs = {
    host: undefined as never,
    changes: [],
    before: () => undefined,
    files: new Map(),
    commands: [],
    isDead: false,
    open: target => [...(targets.get(target)?.values() ?? [])].flatMap(openOf),
    reached: target =>
      [...(targets.get(target)?.values() ?? [])].flatMap(group => {
        const open = openOf(group).map(({ initiator }) => initiator)
        const isIn = (name: string) => open.includes(name) || (group.acls.get(name)?.sessions ?? 0) > 0
        return reachedBy(group).filter(({ initiator }) => isIn(initiator))
      }),
    login(target, initiator) {
      const isOpen = this.open(target).some(each => each.initiator === initiator)
      for (const group of targets.get(target)?.values() ?? []) {
        const acl = group.acls.get(initiator)
        if (acl && isOpen) acl.sessions = 1
      }
      return isOpen
    },
    sessions: (target, initiator) =>
      [...(targets.get(target)?.values() ?? [])]
        .flatMap(group => [...group.acls])
        .filter(([name]) => initiator === undefined || name === initiator)
        .reduce((n, [, acl]) => n + acl.sessions, 0),
    dump: () => dump(ROOT, lio),
  }
  const host: Host = {
    name: 'fake',
    files: configfsFiles(fake, config, modules),
    hold: async () => async () => undefined,
    async run({ file, args }) {
      fake.commands.push([file, ...args.map(String)].join(' '))
      if (file === 'dd') {
        if (fake.isDead) throw new Unavailable({ asked: 'dd', found: 'it hangs', next: 'wait' })
        return { code: 0, stdout: '', stderr: '' }
      }
      if (file !== 'modprobe') throw new Error(`there is no ${file} here`)
      modules.add(args.map(String).at(-1) ?? '')
      if (modules.has('target_core_mod')) config.entries.set('target', lio)
      return { code: 0, stdout: '', stderr: '' }
    },
  }
  return Object.assign(fake, { host })
}

function configfsFiles(fake: FakeConfigfs, config: Folder, modules: ReadonlySet<string>): HostFiles {
  const find = (path: string): Entry | undefined => {
    let entry: Entry | undefined = config
    for (const name of path.slice('/sys/kernel/config'.length).split('/')) {
      if (name === '') continue
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
      if (path.startsWith('/sys/module/')) return modules.has(posix.basename(path)) ? [] : undefined
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
