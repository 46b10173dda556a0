#!/usr/bin/env node
// The command line: try the driver out on this machine, or send it one call.
import { runCall } from '../cli/call.ts'
import { runDemo } from '../cli/demo.ts'

const USAGE = `usage: ashlar VERB ...
  demo
      Whole life cycles of an xfs, an ext4 and a raw block volume on loop devices of this machine, as root.
      Cleans up after itself. Exit code 0: all went well, 1: a step failed, 2: something is missing, 130: stopped.
  call SERVICE/METHOD [JSON | -] [--endpoint URL]
      Sends one call and prints the reply as JSON. "-" reads the request from stdin (the place for secrets).
      SERVICE is Identity, Controller or Node; the endpoint comes from CSI_ENDPOINT without the flag.
      Exit code 0: OK, 1: another status, which is printed, 2: not a call.
      Example: ashlar call Controller/ListVolumes '{"max_entries": 10}' --endpoint unix:///run/csi.sock
`

const VERBS: Readonly<Partial<Record<string, (args: readonly string[]) => Promise<number>>>> = {
  call: runCall,
  demo: runDemo,
}

const [name = '', ...args] = process.argv.slice(2)
const verb = Object.hasOwn(VERBS, name) ? VERBS[name] : undefined
if (name === '--help' || name === 'help' || args.includes('--help')) {
  process.stdout.write(USAGE)
} else if (verb) {
  process.exitCode = await verb(args)
} else {
  process.stderr.write(USAGE)
  process.exitCode = 2
}
