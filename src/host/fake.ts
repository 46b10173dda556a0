// A scripted machine for tests: each command that may run is written down with its answer; any other fails loudly.
import { CommandFailed } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Command, Host, HostFiles, Output } from './host.ts'
import { localFiles } from './local-files.ts'

export interface Line {
  /** The command as a shell would show it: "blkid --probe --output export /dev/loop0". */
  readonly run: string | RegExp
  readonly code?: number
  readonly stdout?: string | ((text: string) => string)
  readonly stderr?: string
  /** May run any number of times, until the command of the next line runs. */
  readonly repeats?: boolean
  /** What the command does to the fake machine, or an error that it throws. */
  readonly effect?: () => void
}

export interface FakeHost extends Host {
  /** Every command that ran, in order. */
  readonly said: readonly string[]
  /** The same, with time limits and what an abort does. */
  readonly commands: readonly Command[]
  /** How many lines of the script have not run. */
  left(): number
  /** Kernel files and their content; change them from an `effect`. */
  readonly kernel: Map<string, string>
}

/** The script is followed in order; kernel files come from `kernel`, files of a pool from a real folder. */
export function fakeHost(script: readonly Line[], kernel: Readonly<Record<string, string>> = {}): FakeHost {
  const said: string[] = []
  const commands: Command[] = []
  const files = new Map(Object.entries(kernel))
  let next = 0
  return {
    name: 'fake',
    said,
    commands,
    left: () => script.slice(next).filter(line => line.repeats !== true).length,
    kernel: files,
    files: overlay(files),
    hold: async () => async () => undefined,
    async run(command: Command, _op: Op): Promise<Output> {
      const text = [command.file, ...command.args.map(String)].join(' ')
      said.push(text)
      commands.push(command)
      while (script[next]?.repeats === true && !fits(script[next], text)) next += 1
      const line = script[next]
      if (!line || !fits(line, text)) {
        throw new Error(`FakeHost: line ${next} is ${String(line?.run ?? 'the end')}, but "${text}" ran`)
      }
      if (line.repeats !== true) next += 1
      line.effect?.()
      const { code = 0, stderr = '' } = line
      const stdout = typeof line.stdout === 'function' ? line.stdout(text) : (line.stdout ?? '')
      if (!(command.okCodes ?? [0]).includes(code)) {
        throw new CommandFailed({ asked: text, found: `exit code ${code}: ${stderr}`, next: 'see the script', code })
      }
      return { code, stdout, stderr }
    },
  }
}

function fits(line: Line | undefined, text: string): boolean {
  return typeof line?.run === 'string' ? line.run === text : line?.run.test(text) === true
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
