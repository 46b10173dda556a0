// `adopt FILE NAME`: says what a file holds, and with --take makes it a volume, with every byte that is in it.
import { isAbsolute, normalize } from 'node:path'
import { type Adoption, adoptVolume, idOfAdopted } from '../controller/adopt-volume.ts'
import type { Sites } from '../doctor/survey.ts'
import { usersOfFile } from '../linux/file-use.ts'
import { readSignatures } from '../linux/format.ts'
import { FS_TYPES } from '../volume/capability.ts'
import { DriverError, InvalidRequest, VolumeInUse } from '../volume/errors.ts'
import { type Op, SILENT } from '../volume/op.ts'
import type { Volume } from '../volume/types.ts'
import type { OpenSites } from './doctor.ts'
import { formatGib } from './terminal.ts'

export interface Adopt {
  readonly file: string
  readonly name: string
  readonly pool: string | undefined
  readonly transport: string | undefined
  /** Use it as a raw block volume, whatever is in it. */
  readonly isBlock: boolean
  /** The name, repeated: nothing else is a confirmation. */
  readonly confirmed: boolean
  /** Flags of the driver. */
  readonly rest: readonly string[]
}

export class NotAnAdoption extends Error {}

const USAGE = 'adopt FILE NAME [--pool POOL] [--transport TRANSPORT] [--block] [--take NAME] [flags of the driver]'
const DONE = 0
const REFUSED = 1
const NOT_AN_ADOPTION = 2
const UNCONFIRMED = 3

export function parseAdopt([file = '', name = '', ...args]: readonly string[]): Adopt {
  if (file === '' || name === '' || file.startsWith('-') || name.startsWith('-')) throw new NotAnAdoption(USAGE)
  if (!isAbsolute(file) || normalize(file) !== file)
    throw new NotAnAdoption(`${file} is not an absolute path: ${USAGE}`)
  const rest = [...args]
  const takeValue = (flag: string): string | undefined => {
    const at = rest.indexOf(flag)
    if (at === -1) return undefined
    const [, value = ''] = rest.splice(at, 2)
    if (value === '' || value.startsWith('-')) throw new NotAnAdoption(`${flag} needs a value: ${USAGE}`)
    return value
  }
  const [pool, transport, taken] = [takeValue('--pool'), takeValue('--transport'), takeValue('--take')]
  if (taken !== undefined && taken !== name)
    throw new NotAnAdoption(`--take ${taken} does not repeat the name ${name}; nothing was done`)
  const isBlock = rest.includes('--block')
  return {
    file,
    name,
    pool,
    transport,
    isBlock,
    confirmed: taken !== undefined,
    rest: rest.filter(each => each !== '--block'),
  }
}

/** Answers the exit code. */
export async function runAdopt(args: readonly string[], open: OpenSites): Promise<number> {
  const op: Op = { log: SILENT, signal: new AbortController().signal }
  const say = (text: string) => process.stdout.write(`${text}\n`)
  try {
    const wanted = parseAdopt(args)
    const sites = await open(wanted.rest)
    for (const { what, why } of sites.unseen ?? []) process.stderr.write(`not seen: ${what}: ${why}\n`)
    const adoption = await examine(sites, wanted, op, say)
    if (!wanted.confirmed) {
      say(`Nothing was changed. To make it a volume: ashlar adopt ${wanted.file} ${wanted.name} --take ${wanted.name}`)
      return UNCONFIRMED
    }
    const { host } = sites.node
    const volume = await adoptVolume(sites.controller, adoption, path => requireUnused(host, path, op), op)
    say(persistentVolume(volume))
    return DONE
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    return error instanceof DriverError ? REFUSED : NOT_AN_ADOPTION
  }
}

/** Throws for what cannot be a volume; says what was found before. */
async function examine(
  { controller, node: { host } }: Sites,
  { file, name, pool, transport, isBlock }: Adopt,
  op: Op,
  say: (text: string) => void,
): Promise<Adoption> {
  const asked = `adopt ${file}`
  const refuse = (found: string, next: string) => new InvalidRequest({ asked, found, next })
  const facts = await host.files.facts(file)
  if (facts?.kind !== 'file')
    throw refuse(facts ? 'it is not a regular file' : 'there is no such file', 'name a regular file')
  if (facts.links !== 1)
    throw refuse(`it has ${facts.links} names`, 'remove the other names: who has one could write to the volume')
  const { code, tags } = await readSignatures(host, file, op)
  const { TYPE: type, UUID: uuid, PTTYPE: table } = tags
  const found =
    type === undefined
      ? table === undefined
        ? 'nothing that is recognised'
        : `a partition table (${table})`
      : `${type}, UUID ${uuid ?? 'none'}`
  say(`file         ${file}`)
  say(`size         ${facts.size} bytes (${formatGib(facts.size)}), of which ${facts.allocated} are written`)
  say(`holds        ${code === 8 ? 'several signatures at once' : found}`)
  const sectorSize = BigInt(controller.pools.get(pool ?? controller.defaultPool)?.sectorSize ?? 512)
  if (facts.size === 0n || facts.size % sectorSize !== 0n)
    throw refuse(
      `its size is not a multiple of ${sectorSize} bytes, the sectors of the pool`,
      'lengthen it with truncate',
    )
  const fsType = FS_TYPES.find(each => each === type)
  if (!isBlock && (!fsType || uuid === undefined || code === 8 || table !== undefined))
    throw refuse(`it holds ${found}, no ext4 or xfs`, 'use --block, to give pods the bytes as they are')
  const filesystem = isBlock || !fsType || uuid === undefined ? undefined : { type: fsType, uuid }
  const adoption = { from: file, name, pool, transport, filesystem }
  const id = await idOfAdopted(controller, asked, adoption)
  say(
    `volume       ${id}, ${filesystem ? `a filesystem volume (${filesystem.type})` : 'a raw block volume'}; it will never be formatted`,
  )
  await requireUnused(host, file, op)
  return adoption
}

async function requireUnused(host: Sites['node']['host'], path: string, op: Op): Promise<void> {
  const users = await usersOfFile(host, path, op)
  if (users.length === 0) return
  throw new VolumeInUse({ asked: `adopt ${path}`, found: users.join('; '), next: 'end what uses it, and call again' })
}

/** For kubectl apply: the claim is for whoever is to have it. */
export function persistentVolume({ id, name, size, capabilities, parameters, segments }: Volume): string {
  const [capability] = capabilities
  const [key] = Object.keys(segments)
  const driver = key?.split('/')[0] ?? 'csi.ashlar.dev'
  const pv = `ashlar-${id.slice(-12)}`
  const affinity = Object.entries(segments).map(
    ([label, value]) => `            - { key: ${label}, operator: In, values: ["${value}"] }`,
  )
  return [
    `# ${JSON.stringify(name)}`,
    'apiVersion: v1',
    'kind: PersistentVolume',
    `metadata: { name: ${pv} }`,
    'spec:',
    `  capacity: { storage: "${size}" }`,
    '  accessModes: [ReadWriteOnce]',
    `  volumeMode: ${capability?.access === 'block' ? 'Block' : 'Filesystem'}`,
    '  persistentVolumeReclaimPolicy: Retain',
    '  storageClassName: ""',
    '  csi:',
    `    driver: ${driver}`,
    `    volumeHandle: ${id}`,
    ...(capability?.fsType ? [`    fsType: ${capability.fsType}`] : []),
    ...(Object.keys(parameters).length > 0 ? [`    volumeAttributes: ${JSON.stringify(parameters)}`] : []),
    ...(affinity.length > 0
      ? ['  nodeAffinity:', '    required:', '      nodeSelectorTerms:', '        - matchExpressions:', ...affinity]
      : []),
    '---',
    'apiVersion: v1',
    'kind: PersistentVolumeClaim',
    `metadata: { name: ${pv}, namespace: default }`,
    'spec:',
    '  accessModes: [ReadWriteOnce]',
    `  volumeMode: ${capability?.access === 'block' ? 'Block' : 'Filesystem'}`,
    '  storageClassName: ""',
    `  volumeName: ${pv}`,
    `  resources: { requests: { storage: "${size}" } }`,
  ].join('\n')
}
