// The `lab` command.
import { mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ExecOptions, shellQuote } from './command.ts'
import { EXIT_LAB, LabError } from './error.ts'
import { Lab } from './lab.ts'
import type { Machine } from './machine.ts'
import type { Topology } from './topology.ts'

const USAGE = `usage: LAB_DIR=<directory> lab <command>
  ensure                        install packages, make the guests' files
  up | down | status            the whole lab
  boot|stop|crash|pause|resume VM
  cut|heal VM [NET...]          carrier off / on
  exec [-t SECONDS] [-i] VM -- COMMAND [ARG...]     -i: pass standard input on
  sh [-t SECONDS] VM [SCRIPT]   bash script, from standard input when not given
  qmp VM COMMAND [JSON]         any QEMU monitor command
  log VM                        print the console
Without LAB_DIR, up makes a directory and prints the line that exports it.`

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}
const log = (line: string): void => {
  process.stderr.write(`lab: ${line}\n`)
}

const readStdin = async (): Promise<Buffer> => {
  const chunks: Buffer[] = []
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const openLab = (): Lab => {
  const directory = process.env['LAB_DIR'] ?? ''
  if (directory === '') throw new LabError('LAB_DIR is not set')
  return new Lab({ directory, log })
}

const named = (words: string[]): Machine => {
  const [name] = words
  if (name === undefined) throw new LabError(USAGE)
  return openLab().vm(name)
}

const up = async (): Promise<void> => {
  const given = process.env['LAB_DIR'] ?? ''
  const directory = given === '' ? mkdtempSync(join(tmpdir(), 'lab-')) : given
  const file = process.env['LAB_TOPOLOGY']
  const topology = file === undefined ? {} : { topology: JSON.parse(readFileSync(file, 'utf8')) as Topology }
  const lab = new Lab({ directory, log, ...topology })
  const interrupted = (signal: NodeJS.Signals): void => {
    lab
      .down()
      .catch((error: unknown) => log(String(error)))
      .finally(() => process.exit(signal === 'SIGINT' ? 130 : 143))
  }
  process.once('SIGINT', interrupted).once('SIGTERM', interrupted)
  await lab.up()
  process.off('SIGINT', interrupted).off('SIGTERM', interrupted)
  if (given === '') print(`export LAB_DIR=${shellQuote(lab.directory)}`)
}

interface RunArguments {
  timeout: number
  withStdin: boolean
  vm: Machine
  args: string[]
}

const runArguments = (words: string[]): RunArguments => {
  let timeout = 600
  let withStdin = false
  let position = 0
  for (; words[position]?.startsWith('-') === true; position += 1) {
    if (words[position] === '-i') {
      withStdin = true
    } else if (words[position] === '-t') {
      position += 1
      timeout = Number(words[position])
    } else {
      throw new LabError(USAGE)
    }
  }
  if (!(timeout > 0)) throw new LabError(USAGE)
  const args = words.slice(position + 1)
  if (args[0] === '--') args.shift()
  return { timeout, withStdin, vm: named(words.slice(position)), args }
}

const runIn = async (vm: Machine, script: string, timeout: number, stdin: Buffer): Promise<void> => {
  const interrupt = new AbortController()
  const onSignal = (signal: NodeJS.Signals): void => {
    process.exitCode = signal === 'SIGINT' ? 130 : 143
    interrupt.abort(new LabError('interrupted'))
  }
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
  const options: ExecOptions = {
    stdin,
    timeout,
    signal: interrupt.signal,
    onStdout: chunk => process.stdout.write(chunk),
    onStderr: chunk => process.stderr.write(chunk),
  }
  const { code } = await vm.exec(script, options)
  process.exitCode = code
}

const COMMANDS: Record<string, (words: string[]) => Promise<unknown>> = {
  ensure: async () => await Promise.resolve(openLab().ensure()),
  up,
  down: async () => await openLab().down(),
  status: async () => {
    for (const vm of openLab().vms()) print(`${vm.name}\t${await vm.status()}\t${vm.pid ?? '-'}`)
  },
  boot: async words => await named(words).boot(),
  stop: async words => await named(words).stop(),
  crash: async words => await named(words).crash(),
  pause: async words => await named(words).pause(),
  resume: async words => await named(words).resume(),
  cut: async words => await named(words).cut(...words.slice(1)),
  heal: async words => await named(words).heal(...words.slice(1)),
  log: async words => await Promise.resolve(process.stdout.write(readFileSync(named(words).consoleLog))),
  qmp: async words => {
    const [, command, json = '{}'] = words
    if (command === undefined) throw new LabError(USAGE)
    print(JSON.stringify(await named(words).qmp(command, JSON.parse(json) as object), null, 2))
  },
  exec: async words => {
    const { timeout, withStdin, vm, args } = runArguments(words)
    if (args.length === 0) throw new LabError(USAGE)
    await runIn(vm, args.map(shellQuote).join(' '), timeout, withStdin ? await readStdin() : Buffer.alloc(0))
  },
  sh: async words => {
    const { timeout, vm, args } = runArguments(words)
    await runIn(vm, args.length > 0 ? args.join(' ') : (await readStdin()).toString(), timeout, Buffer.alloc(0))
  },
}

const [verb = '', ...words] = process.argv.slice(2)
try {
  const command = Object.hasOwn(COMMANDS, verb) ? COMMANDS[verb] : undefined
  if (command === undefined) throw new LabError(USAGE)
  await command(words)
} catch (error) {
  log(error instanceof LabError ? error.message : String((error as Error).stack))
  process.exitCode ??= EXIT_LAB
}
