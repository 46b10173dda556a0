// Boots one VM for tests that need a kernel or rights this machine lacks, and always takes it down again.
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { cachePath, userCache } from '../../hack/cache.ts'
import { type ExecOptions, type ExecResult, shellQuote } from '../../hack/lab/command.ts'
import { Lab } from '../../hack/lab/lab.ts'
import type { Machine } from '../../hack/lab/machine.ts'
import { installPrograms } from '../programs.ts'

const ROOT = dirname(dirname(import.meta.dirname))
const NAME = 'guest'
/** Where the data disk is mounted in the guest: 12 GiB, xfs, so that direct I/O works below loop devices. */
export const GUEST_DATA = '/var/lib/ashlar-test'
/** A folder the host reads; names below it go through `Guest.fetch`. */
export const GUEST_OUT = '/lab/share/out'

export interface GuestOptions {
  /** MiB. */
  memory?: number
  /** Host directories the guest must see besides the project and the user's cache folder. */
  visible?: string[]
  /** Sources, paths in the project, that `programLine` starts in the guest. */
  programs?: string[]
  log?: (line: string) => void
}

export interface RunOptions extends ExecOptions {
  /** Absolute path in the guest; the project's root when not given. */
  cwd?: string
  env?: Record<string, string>
}

export interface Guest {
  /** The VM itself, for faults and for commands without the project's environment. */
  machine: Machine
  /** Absolute path of the project, the same in the guest and on the host. */
  root: string
  /**
   * Runs a shell command with the project's Node.js first on PATH and TMPDIR on the data disk. Resolves to the command's
   * exit code (124: timeout, 125: the VM died). `timeout` in seconds, 3600 when not given.
   */
  run: (command: string, options?: RunOptions) => Promise<ExecResult>
  /** Copies what the guest wrote below GUEST_OUT ($ASHLAR_GUEST_OUT) into a folder of the host. */
  fetch: (directory: string) => void
}

// The module `loop` has no fixed number of devices: /dev/loop-control makes more. There is no udev to load any of these.
const PREPARE = `set -e
modprobe loop
modprobe xfs
modprobe ext4
mkfs.xfs -q /dev/vdb
mkdir -p ${GUEST_DATA} ${GUEST_OUT}
mount /dev/vdb ${GUEST_DATA}
`

const environment = (): Record<string, string> => ({
  PATH: `${ROOT}/node_modules/.bin:${ROOT}/node_modules/node/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
  TMPDIR: GUEST_DATA,
  ASHLAR_GUEST_OUT: GUEST_OUT,
  // Stripping types starts a WebAssembly compiler, a second of emulated time for each process without this.
  NODE_COMPILE_CACHE: '/var/cache/node-compile',
  // The guest's HOME is /root, the host's may be another: csi-sanity is looked for in the host's.
  XDG_CACHE_HOME: userCache(),
})

const script = (command: string, { cwd = ROOT, env = {} }: RunOptions): string => {
  const exports = Object.entries({ ...environment(), ...env }).map(
    ([key, value]) => `export ${key}=${shellQuote(value)}`,
  )
  return [...exports, `cd ${shellQuote(cwd)} || exit 125`, command, ''].join('\n')
}

const createGuest = (lab: Lab): Guest => {
  const machine = lab.vm(NAME)
  return {
    machine,
    root: ROOT,
    run: async (command, options = {}) => await machine.exec(script(command, options), { timeout: 3600, ...options }),
    fetch: directory => {
      const from = join(lab.share, 'out')
      mkdirSync(directory, { recursive: true })
      if (existsSync(from)) cpSync(from, directory, { recursive: true })
    },
  }
}

/**
 * Boots the guest, hands it to `use`, and takes it down whatever happens: also on SIGINT and SIGTERM (the process then
 * exits 130 or 143), and the VM dies with this process if that is killed. Throws LabError when the guest does not come up.
 */
export const withGuest = async <T>(use: (guest: Guest) => Promise<T>, options: GuestOptions = {}): Promise<T> => {
  const { memory = 1536, log = () => {} } = options
  const visible = [ROOT, cachePath(), ...(options.visible ?? [])].filter(path => existsSync(path))
  const vms = { [NAME]: { index: 1, memory, visible, disks: ['12G'], translationCache: 512 } }
  const lab = new Lab({ topology: { nets: [], vms }, attached: true, log })
  const interrupted = (signal: NodeJS.Signals): void => {
    lab
      .down()
      .catch((error: unknown) => log(String(error)))
      .finally(() => process.exit(signal === 'SIGINT' ? 130 : 143))
  }
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  try {
    await lab.up()
    if (options.programs) installPrograms(lab.share, options.programs)
    const guest = createGuest(lab)
    const { code, stderr } = await guest.machine.exec(PREPARE)
    if (code !== 0) throw new Error(`the guest cannot be prepared (exit ${code}): ${stderr}`)
    return await use(guest)
  } finally {
    process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
    await lab.down()
  }
}
