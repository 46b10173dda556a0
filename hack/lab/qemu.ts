// QEMU's command line for one VM, its start, and its monitor.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { Lines } from './channel.ts'
import type { Backend } from './disks.ts'
import { LabError } from './error.ts'
import type { VmSpec } from './topology.ts'

export interface MachinePlan {
  label: string
  /** The VM's directory: console.log, sockets, pid file, mail/. */
  directory: string
  share: string
  images: { kernel: string; initramfs: string; root: string }
  spec: VmSpec
  disks: Backend[]
  nics: { net: string; group: string; mac: string }[]
  /** A port of the VM that this machine reaches at a port of its own. */
  forward?: { mac: string; from: number; to: number }
}

// mitigations and la57 cost time in emulation; tsc=reliable and no_timer_check skip calibrations that a busy host fails.
const KERNEL_COMMAND_LINE =
  'console=ttyS0 quiet panic=-1 mitigations=off random.trust_cpu=on no_timer_check tsc=reliable net.ifnames=0'

// QEMU's own default is a fixed part of memory; 128 MiB holds a kernel, a shell and small tools.
const TRANSLATION_CACHE_MIB = 128

/** No network of a topology can have this name. */
export const FORWARD_NET = 'lab.host'
/** What QEMU's user network gives to the first guest, and forwards to (qemu(1), hostfwd). */
export const FORWARD_ADDRESS = '10.0.2.15/24'

const share = (tag: string, path: string, ...more: string[]): string[] => [
  '-virtfs',
  [`local,path=${path},mount_tag=${tag},security_model=none`, ...more].join(','),
]

const block = (backend: Backend, position: number): string[] => {
  const node = { 'node-name': `disk${position}`, driver: 'raw', discard: 'unmap', file: backend }
  const serial = position === 0 ? 'state' : `data${position}`
  const device = `virtio-blk-pci,drive=disk${position},id=vd${position},serial=${serial}`
  return ['-blockdev', JSON.stringify(node), '-device', device]
}

/** restrict: the VM reaches nothing by this way, neither this machine nor what is behind it. */
const forwarding = ({ mac, from, to }: NonNullable<MachinePlan['forward']>): string[] => [
  ...['-netdev', `user,id=${FORWARD_NET},restrict=on,hostfwd=tcp:127.0.0.1:${from}-:${to}`],
  ...['-device', `virtio-net-pci,netdev=${FORWARD_NET},id=nic-${FORWARD_NET},mac=${mac}`],
]

/** The arguments; `-pidfile <directory>/pid` is what the process is recognised by. */
export const qemuArguments = (plan: MachinePlan): string[] => {
  const { directory, images, spec } = plan
  const translated = spec.translationCache ?? TRANSLATION_CACHE_MIB
  return [
    ...['-name', plan.label, '-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
    // q35 boots 0.7 s faster than the default machine.
    ...['-machine', 'q35', '-accel', `tcg,thread=multi,tb-size=${translated}`, '-cpu', 'max,la57=off'],
    // One processor: with two, programs that write code while they run (Node.js) crash every now and then.
    ...['-smp', '1', '-m', String(spec.memory)],
    ...['-kernel', images.kernel, '-initrd', images.initramfs, '-append', KERNEL_COMMAND_LINE],
    ...['-chardev', `file,id=console,path=${directory}/console.log,append=on`, '-serial', 'chardev:console'],
    ...['-chardev', `socket,id=bell,path=${directory}/bell.sock,server=on,wait=off`, '-serial', 'chardev:bell'],
    ...['-qmp', `unix:${directory}/qmp.sock,server=on,wait=off`],
    // remap: inode numbers of several host file systems below / must not meet in the guest.
    ...share('host', '/', 'readonly=on', 'multidevs=remap'),
    ...share('guest', images.root, 'readonly=on'),
    ...share('mail', join(directory, 'mail')),
    ...share('share', plan.share),
    ...plan.disks.flatMap(block),
    ...plan.nics.flatMap(({ net, group, mac }) => [
      ...['-netdev', `socket,id=${net},mcast=${group},localaddr=127.0.0.1`],
      ...['-device', `virtio-net-pci,netdev=${net},id=nic-${net},mac=${mac}`],
    ]),
    ...(plan.forward ? forwarding(plan.forward) : []),
    ...['-pidfile', join(directory, 'pid')],
  ]
}

/**
 * Starts QEMU in a session of its own, so that Ctrl-C in a terminal reaches the lab's owner and not the VM. An attached
 * VM dies with this process however this process ends (PR_SET_PDEATHSIG, prctl(2)); others stay. Output: qemu.log.
 */
export const startQemu = (plan: MachinePlan, attached: boolean): ChildProcess => {
  const prefix = attached ? ['setpriv', '--pdeathsig', 'KILL'] : []
  const [program = '', ...args] = [...prefix, 'qemu-system-x86_64', ...qemuArguments(plan)]
  const log = openSync(join(plan.directory, 'qemu.log'), 'w', 0o600)
  try {
    const child = spawn(program, args, { cwd: plan.directory, detached: true, stdio: ['ignore', log, log] })
    child.unref()
    return child
  } finally {
    closeSync(log)
  }
}

interface MonitorAnswer {
  return?: unknown
  error?: { desc: string }
}

const isAnswer = (value: object): value is MonitorAnswer => 'return' in value || 'error' in value

/** Runs one monitor command (QMP) within `timeout` seconds. Throws LabError with QEMU's reason when it is refused. */
export const monitor = async (socket: string, command: string, args: object, timeout: number): Promise<unknown> => {
  const link = await Lines.connect(socket, timeout)
  const call = async (request: { execute: string; arguments?: object }): Promise<unknown> => {
    link.write(JSON.stringify(request))
    for (;;) {
      const message = JSON.parse(await link.next()) as object
      if (!isAnswer(message)) continue // an event
      if (message.error !== undefined) throw new LabError(`${request.execute}: ${message.error.desc}`)
      return message.return
    }
  }
  try {
    await link.next() // greeting
    await call({ execute: 'qmp_capabilities' })
    return await call({ execute: command, arguments: args })
  } finally {
    link.close()
  }
}
