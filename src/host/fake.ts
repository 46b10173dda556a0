// A scripted machine for tests: each command that may run is written down with its answer; any other fails loudly.
import { CommandFailed } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Command, Host, HostFiles, Output } from './host.ts'
import { localFiles } from './local-files.ts'

export interface Line {
  /** The command as a shell would show it: "blkid --probe --output export /dev/loop0". */
  readonly run: string | RegExp
  readonly code?: number
  readonly stdout?: string
  readonly stderr?: string
  /** What the command does to the fake machine, or an error that it throws. */
  readonly effect?: () => void
}

export interface FakeHost extends Host {
  /** Every command that ran, in order. */
  readonly said: readonly string[]
  /** Kernel files and their content; change them from an `effect`. */
  readonly kernel: Map<string, string>
}

/** The script is followed in order; kernel files come from `kernel`, files of a pool from a real folder. */
export function fakeHost(script: readonly Line[], kernel: Readonly<Record<string, string>> = {}): FakeHost {
  const said: string[] = []
  const files = new Map(Object.entries(kernel))
  let next = 0
  return {
    name: 'fake',
    said,
    kernel: files,
    files: overlay(files),
    async run(command: Command, _op: Op): Promise<Output> {
      const text = [command.file, ...command.args.map(String)].join(' ')
      said.push(text)
      const line = script[next]
      if (!line || (typeof line.run === 'string' ? line.run !== text : !line.run.test(text))) {
        throw new Error(`FakeHost: line ${next} is ${String(line?.run ?? 'the end')}, but "${text}" ran`)
      }
      next += 1
      line.effect?.()
      const { code = 0, stdout = '', stderr = '' } = line
      if (!(command.okCodes ?? [0]).includes(code)) {
        throw new CommandFailed({ asked: text, found: `exit code ${code}: ${stderr}`, next: 'see the script', code })
      }
      return { code, stdout, stderr }
    },
  }
}

/** /proc and /sys are fake, everything else is real: pools in tests live in temporary folders. */
function overlay(files: ReadonlyMap<string, string>): HostFiles {
  const isKernel = (path: string) => path.startsWith('/proc/') || path.startsWith('/sys/')
  return {
    ...localFiles,
    read: async path => (isKernel(path) ? files.get(path) : await localFiles.read(path)),
    async list(path) {
      if (!isKernel(path)) return await localFiles.list(path)
      const below = [...files.keys()]
        .filter(each => each.startsWith(`${path}/`))
        .map(each => each.slice(path.length + 1).split('/')[0] ?? '')
      return below.length > 0 ? [...new Set(below)].sort() : undefined
    },
  }
}
