// `wipe VOLUME`: says what a volume holds, and with --destroy makes it blank again, so that the driver may format it.
import { getVolume } from '../controller/site.ts'
import { wipeVolume } from '../controller/wipe-volume.ts'
import type { Sites } from '../doctor/survey.ts'
import { readSignatures } from '../linux/format.ts'
import type { Pool } from '../pools/pool.ts'
import type { Capability } from '../volume/capability.ts'
import { DriverError, VolumeInUse } from '../volume/errors.ts'
import { type Op, SILENT } from '../volume/op.ts'
import type { Volume, VolumeId } from '../volume/types.ts'
import type { OpenSites } from './doctor.ts'
import { formatGib } from './terminal.ts'

export interface Wipe {
  readonly id: VolumeId
  /** The id, repeated: nothing else is a confirmation. */
  readonly confirmed: boolean
  /** Flags of the driver. */
  readonly rest: readonly string[]
}

export class NotAWipe extends Error {}

export function parseWipe([id = '', ...args]: readonly string[]): Wipe {
  if (id === '' || id.startsWith('-')) throw new NotAWipe('wipe VOLUME_ID [--destroy VOLUME_ID] [flags of the driver]')
  const at = args.indexOf('--destroy')
  if (at === -1) return { id, confirmed: false, rest: args }
  if (args[at + 1] !== id)
    throw new NotAWipe(`--destroy ${args[at + 1] ?? ''} does not repeat the volume id ${id}; nothing was done`)
  return { id, confirmed: true, rest: args.toSpliced(at, 2) }
}

const DONE = 0
const REFUSED = 1
const NOT_A_WIPE = 2
const UNCONFIRMED = 3

/** Answers the exit code. */
export async function runWipe(args: readonly string[], open: OpenSites): Promise<number> {
  const op: Op = { log: SILENT, signal: new AbortController().signal }
  const say = (text: string) => process.stdout.write(`${text}\n`)
  try {
    const { id, confirmed, rest } = parseWipe(args)
    const sites = await open(rest)
    for (const line of await describe(sites, id, op)) say(line)
    if (!confirmed) {
      say(`Nothing was changed. To destroy all of this: ashlar wipe ${id} --destroy ${id}`)
      return UNCONFIRMED
    }
    await wipe(sites, id, op)
    say('The volume is blank now; the next stage formats it.')
    return DONE
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof DriverError ? REFUSED : NOT_A_WIPE
  }
}

/** Throws VolumeInUse, PublishedElsewhere, VolumeNotFound. */
export async function wipe({ controller, node }: Sites, id: VolumeId, op: Op): Promise<void> {
  await node.journal.alone(id, op, async () => {
    const entry = await node.journal.find(id)
    if (entry)
      throw new VolumeInUse({
        asked: `wipe ${id}`,
        found: `the journal says that it is staged at ${entry.stagingPath}`,
        next: 'unstage it first; ashlar doctor tells whether the entry can be trusted',
      })
    await wipeVolume(controller, id, op)
  })
}

async function describe({ controller, node, unseen = [] }: Sites, id: VolumeId, op: Op): Promise<string[]> {
  for (const { what, why } of unseen) process.stderr.write(`not seen: ${what}: ${why}\n`)
  const { pool, volume } = await getVolume(controller, `wipe ${id}`, id)
  const { path } = await pool.backing(id)
  const allocated = (await node.host.files.facts(path))?.allocated ?? 0n
  const claims = await pool.claims(id)
  return [
    `volume       ${id}`,
    `name         ${volume.name}`,
    `file         ${path}`,
    `size         ${volume.size} bytes (${formatGib(volume.size)}), of which ${allocated} are written`,
    `created for  ${volume.capabilities.map(describeCapability).join('; ')}`,
    `claims       ${claims.map(claim => claim.node).join(', ') || 'none'}`,
    `holds        ${await describeBytes(node.host, pool, volume, path, op)}`,
  ]
}

function describeCapability({ access, mode, fsType }: Capability): string {
  return [access, fsType ?? '', mode].filter(Boolean).join(' ')
}

async function describeBytes(
  host: Sites['node']['host'],
  pool: Pool,
  { id }: Volume,
  path: string,
  op: Op,
): Promise<string> {
  if (await pool.isBlank(id, op)) return 'nothing, or a format that did not finish: the driver would format it anyway'
  const { code, tags } = await readSignatures(host, path, op)
  if (code === 8) return 'several signatures at once'
  const { TYPE, UUID, LABEL, PTTYPE } = tags
  if (TYPE === undefined && PTTYPE === undefined) return 'data that nothing recognises'
  return [
    ...(PTTYPE === undefined ? [] : [`a partition table (${PTTYPE})`]),
    ...(TYPE === undefined ? [] : [`${TYPE}${UUID === undefined ? '' : `, UUID ${UUID}`}`]),
    ...(LABEL === undefined ? [] : [`label ${LABEL}`]),
  ].join(', ')
}
