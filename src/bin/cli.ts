#!/usr/bin/env node
// The command line: try the driver out on this machine, send it one call, or look after what it keeps.
import { DRIVER_FLAGS, openSites } from '../app/operator.ts'
import { runAdopt } from '../cli/adopt.ts'
import { runCall } from '../cli/call.ts'
import { runDemo } from '../cli/demo.ts'
import { runDoctor } from '../cli/doctor.ts'
import { runWipe } from '../cli/wipe.ts'

const USAGE = `usage: ashlar VERB ...
  demo
      Whole life cycles of an xfs, an ext4 and a raw block volume on loop devices of this machine, as root.
      Cleans up after itself. Exit code 0: all went well, 1: a step failed, 2: something is missing, 130: stopped.
  call SERVICE/METHOD [JSON | -] [--endpoint URL]
      Sends one call and prints the reply as JSON. "-" reads the request from stdin (the place for secrets).
      SERVICE is Identity, Controller, GroupController, Node or SnapshotMetadata, whose replies come one by one; the
      endpoint comes from CSI_ENDPOINT without the flag.
      Exit code 0: OK, 1: another status, which is printed, 2: not a call.
      Example: ashlar call Controller/ListVolumes '{"max_entries": 10}' --endpoint unix:///run/csi.sock
  doctor [--config FILE | flags of the driver] [--json] [--all] [--repair]
      Compares pools, loop devices, mounts and journal of this machine, and says what does not fit together.
      Changes nothing without --repair, which does only what loses nothing. Harmless beside a working driver.
      Exit code 0: all in order, 1: problems, 2: could not look at everything.
  adopt FILE NAME [--pool POOL] [--transport TRANSPORT] [--block] [--take NAME] [--config FILE | flags of the driver]
      Says what a file on the filesystem of a pool holds; with --take and the name repeated, makes it a volume with
      all its data and prints a PersistentVolume for it. Exit code 0: adopted, 1: refused, 2: not one, 3: not confirmed.
  wipe VOLUME_ID [--config FILE | flags of the driver] [--destroy VOLUME_ID]
      Says what an unpublished volume holds; with --destroy and the id repeated, destroys all of it, so that the
      driver formats the volume again. Exit code 0: wiped, 1: refused, 2: not a wipe, 3: not confirmed.

Flags of the driver:
${DRIVER_FLAGS}
`

const VERBS: Readonly<Partial<Record<string, (args: readonly string[]) => Promise<number>>>> = {
  call: runCall,
  demo: runDemo,
  // A child that hangs in the kernel must not keep the command from ending.
  doctor: async args => process.exit(await runDoctor(args, openSites)),
  adopt: async args => process.exit(await runAdopt(args, openSites)),
  wipe: async args => process.exit(await runWipe(args, openSites)),
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
