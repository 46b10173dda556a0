// /proc and /sys of the simulated machine; a file that it does not know is a violation, not an absence.
import { pathOf } from './disk.ts'
import { isLive, type Loop, type Mount, numberOf, type State, violate } from './state.ts'

export function kernelRead(state: State, path: string): string | undefined {
  if (path === '/proc/self/mountinfo') return mountinfo(state)
  if (path === '/proc/self/status') return 'Name:\tnode\nCapEff:\t000001ffffffffff\n'
  const [, kname = '', below = ''] = /^\/sys\/block\/([^/]+)\/(.+)$/.exec(path) ?? []
  if (kname !== '') {
    const loop = state.loops.get(kname)
    return loop && blockFile(state, loop, below)
  }
  const [, number = ''] = /^\/sys\/dev\/block\/(\d+:\d+)\/uevent$/.exec(path) ?? []
  if (number !== '') {
    const loop = [...state.loops.values()].find(each => numberOf(each) === number)
    return loop && `MAJOR=7\nMINOR=${loop.minor}\nDEVNAME=${loop.kname}\nDEVTYPE=disk\nDISKSEQ=${loop.sequence}\n`
  }
  const [, type, live, fact] = /^\/sys\/fs\/(ext4|xfs)\/([^/]+)\/(.+)$/.exec(path) ?? []
  if (live !== undefined) return liveFsType(state, live) === type ? fsFile(fact ?? '') : undefined
  violate(state, `the driver reads ${path}, which this machine does not know`)
  return undefined
}

function blockFile(state: State, loop: Loop, file: string): string | undefined {
  switch (file) {
    case 'dev':
      return `${numberOf(loop)}\n`
    case 'size':
      return `${loop.size / 512n}\n`
    case 'ro':
      return loop.readonly ? '1\n' : '0\n'
    case 'diskseq':
      return `${loop.sequence}\n`
    case 'queue/logical_block_size':
      return `${loop.sectorSize}\n`
    case 'loop/backing_file':
      return `${loop.file ? pathOf(loop.file) : `/dev/${loop.below}`}\n`
    case 'loop/dio':
      return '1\n'
    case 'loop/autoclear':
      return loop.autoclear ? '1\n' : '0\n'
    case 'loop/offset':
    case 'loop/sizelimit':
      return '0\n'
    default:
      violate(state, `the driver reads /sys/block/${loop.kname}/${file}, which this machine does not know`)
      return undefined
  }
}

function fsFile(fact: string): string | undefined {
  return /errors_count$|warning_count$/.test(fact) ? '0\n' : undefined
}

function liveFsType(state: State, kname: string): string | undefined {
  return state.mounts.find(mount => mount.kind === 'filesystem' && mount.kname === kname)?.fs?.type
}

export function kernelList(state: State, path: string): string[] | undefined {
  if (path === '/sys/block') return ['sda', ...state.loops.keys()].sort()
  const [, kname = '', below = ''] = /^\/sys\/block\/([^/]+)\/(holders|slaves)$/.exec(path) ?? []
  if (kname !== '' && below !== '') return state.loops.has(kname) ? [] : undefined
  const [, type, live] = /^\/sys\/fs\/(ext4|xfs)\/([^/]+)$/.exec(path) ?? []
  if (live !== undefined) return isLive(state, live) && liveFsType(state, live) === type ? ['features'] : undefined
  violate(state, `the driver lists ${path}, which this machine does not know`)
  return undefined
}

function mountinfo(state: State): string {
  const own = [
    '22 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw',
    '23 22 0:6 / /dev rw,nosuid - devtmpfs udev rw,size=4m',
    '24 22 0:5 / /proc rw - proc proc rw',
  ]
  return `${[...own, ...state.mounts.map(mount => mountLine(state, mount))].join('\n')}\n`
}

function mountLine(state: State, mount: Mount): string {
  const options = mount.options.join(',')
  const path = mount.path.replace(/[ \\]/g, each => `\\0${each.charCodeAt(0).toString(8)}`)
  if (mount.kind === 'node') return `${mount.id} 22 0:6 /${mount.kname} ${path} ${options} - devtmpfs udev rw,size=4m`
  if (mount.kind === 'folder') return `${mount.id} 22 8:1 /unstaged ${path} ${options} - ext4 /dev/sda1 rw`
  const loop = state.loops.get(mount.kname)
  const superOptions = [mount.superReadonly ? 'ro' : 'rw', 'errors=remount-ro'].join(',')
  return `${mount.id} 22 ${loop ? numberOf(loop) : '7:?'} / ${path} ${options} - ${mount.fs?.type} /dev/${mount.kname} ${superOptions}`
}
