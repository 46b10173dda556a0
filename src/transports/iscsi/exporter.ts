// Beside the bytes: which nodes reach a volume, and through which target, follows from its claims, and from nothing else.
import type { Host } from '../../host/host.ts'
import type { IscsiSettings } from '../../schema/shapes/config.ts'
import { NotSupported, PublishedElsewhere, VolumeInUse } from '../../volume/errors.ts'
import { parseNodeId } from '../../volume/node-id.ts'
import { type Op, steady } from '../../volume/op.ts'
import type { Backing, ChapTerms, Claim, Route, Volume, VolumeId } from '../../volume/types.ts'
import type { Exported, Exporter, Ledger } from '../transport.ts'
import { deriveChap, type Keys, readKeys } from './chap.ts'
import { lunOf, serialOf, targetName, volumeOfTarget } from './names.ts'
import { createNodeExports, type NodeExports, targetOf } from './node-exports.ts'
import { pauseExport } from './pause.ts'
import { type ChapRoute, encodeIscsiRoute } from './route.ts'
import type { ExportDocument, Right, Shown, ShownUnit, Target, UnitDocument } from './target.ts'

/** How volumes of this host are served. */
interface Way {
  readonly settings: IscsiSettings
  readonly target: Target
  readonly nodes: NodeExports | undefined
  /** Those of the key file now. */
  keys(): Promise<Keys>
}

/** `own`: the machine of this process, which has the key file; the target may be on another. */
export function createExporter(own: Host, settings: IscsiSettings, target: Target, ledger: Ledger): Exporter {
  const nodes = target.nodes && createNodeExports(target.nodes, ledger)
  const keys = async (): Promise<Keys> => await readKeys(own.files, settings.chapKeyFile ?? '')
  const termsOfNow = async (): Promise<{ chap?: ChapTerms }> => {
    const { chap: mode } = settings
    if (mode === 'none') return {}
    const [key = ''] = (await keys()).keys()
    return { chap: { mode, key } }
  }
  const way: Way = { settings, target, nodes, keys }
  return {
    isLocal: false,
    reaches: node => parseNodeId(node).initiator !== undefined,
    async enrol(id, node, op, work) {
      if (!nodes || settings.layout === 'per-volume') {
        const others = (await ledger.claimsOf(id)).flatMap(({ lun }) => lun ?? [])
        return await work({ ...(await termsOfNow()), lun: target.chooseLun(others) })
      }
      return await nodes.enrol(id, node, termsOfNow, op, session => work({ session }))
    },
    export: (volume, backing, claims, op) => exportAs(way, volume, backing, claims, op),
    async ready(id, { node, session }, op) {
      if (session) await nodes?.ready(id, node, op)
    },
    async settle(op) {
      await nodes?.settle(op)
    },
    async unexport(id, node, op) {
      const { initiator } = parseNodeId(node)
      if (initiator !== undefined) {
        await nodes?.take(id, node, op)
        await target.revoke(targetName(id), initiator, op)
      }
      const left = await target.find(targetName(id), op)
      if (left?.initiators.length === 0) await target.remove(left.target, op)
    },
    async withdraw(id, op) {
      await nodes?.withdraw(id, op)
      await target.remove(targetName(id), op)
    },
    async requireGrowable(id, op) {
      if (target.growsOnline) return
      const shown = await target.find(targetName(id), op)
      if (shown) throw cannotGrow(id, shown, settings)
    },
    async grow(volume, backing, op) {
      const shown = await target.find(targetName(volume.id), op)
      if (shown && shown.size < backing.size) await target.grow(shown.target, backing, op)
    },
    ...whileAlone(way),
    exports: (op, only) => exportsOf(way, only, op),
  }
}

async function exportsOf(
  { target, nodes }: Way,
  only: VolumeId | undefined,
  op: Op,
): Promise<ReadonlyMap<VolumeId, Exported>> {
  const units = Map.groupBy((await nodes?.list(only)) ?? [], unit => unit.id)
  const all = only === undefined ? await target.list(op) : [await target.find(targetName(only), op)]
  const present = all.filter(each => each !== undefined)
  const found = present.flatMap(shown => {
    const id = volumeOfTarget(shown.target)
    return id === undefined ? [] : [[id, exportedAs(id, shown, units.get(id) ?? [])] as const]
  })
  return new Map(found)
}

async function exportAs(
  { settings, target, nodes, keys }: Way,
  volume: Volume,
  backing: Backing,
  claims: readonly [Claim, ...Claim[]],
  op: Op,
): Promise<Route> {
  const { id } = volume
  requireOwnInitiators(id, claims)
  const needsKeys = claims.some(({ chap, session }) => chap ?? session?.chap)
  const site: Site = { settings, keys: needsKeys ? await keys() : new Map() }
  // As each claim says, whatever the setting has become: another way would end the session.
  const [own, shared] = [claims.filter(({ session }) => !session), claims.filter(({ session }) => session)]
  const document = documentOf(volume, backing, targetName(id), own, site)
  if (shared.length > 0 && !nodes) throw cannotShare(id, settings)
  if (own.length > 0) await target.apply(document, op)
  else if ((await target.find(document.target, op))?.initiators.length) await target.remove(document.target, op)
  for (const claim of shared) await nodes?.add(unitOf(volume, backing, claim, site), op)
  const [first] = claims
  return first.session
    ? routeOf(unitOf(volume, backing, first, site), first)
    : routeOf({ ...document, lun: lunFor(first) }, first)
}

/** For whoever is alone with the volume: nobody gets it meanwhile. */
function whileAlone(way: Way): Pick<Exporter, 'requireUnused' | 'pause' | 'resume'> {
  return {
    requireUnused: (id, op) => requireUnexported(way, id, op),
    async pause(volume, backing, claims, op) {
      const [first, ...others] = claims.filter(({ node }) => parseNodeId(node).initiator !== undefined)
      if (!first) return await requireUnexported(way, volume.id, op).then(() => async () => undefined)
      // Whoever asked for the pause may be gone by then.
      const again = () => exportAs(way, volume, backing, [first, ...others], steady(op))
      return await pauseExport(way.target, { id: volume.id, claims: [first, ...others] }, again, op)
    },
    // The claims are as they were: the next round of the controller exports by them.
    resume: async () => undefined,
  }
}

async function requireUnexported({ target, nodes }: Way, id: VolumeId, op: Op): Promise<void> {
  const shown = await target.find(targetName(id), op)
  if (!shown) return
  const units = (await nodes?.list(id)) ?? []
  const holders = [...shown.initiators.map(({ name }) => name), ...units.map(unit => unit.initiator ?? unit.target)]
  throw new VolumeInUse({
    asked: `delete ${id}`,
    found: `${shown.target} is exported to ${holders.join(', ') || 'nobody'}`,
    next: 'unpublish it first',
  })
}

/** Two nodes under one name would be one to the target: it could not take the right of one of them away. */
function requireOwnInitiators(id: VolumeId, claims: readonly Claim[]): void {
  const holders = Map.groupBy(claims, ({ node }) => parseNodeId(node).initiator ?? '')
  for (const [initiator, [first, second]] of holders) {
    if (!first || !second) continue
    throw new PublishedElsewhere({
      asked: `publish ${id} to node ${first.node}`,
      found: `node ${second.node} has it, with the same initiator name ${initiator}`,
      next: 'give each node a name of its own (nodeId, or iscsi.initiatorName), and restart its plugin',
    })
  }
}

/** What a document follows from besides the volume and its claims. */
interface Site {
  readonly settings: IscsiSettings
  readonly keys: Keys
}

function documentOf(
  { id, sectorSize }: Volume,
  backing: Backing,
  target: string,
  claims: readonly Claim[],
  site: Site,
): ExportDocument {
  const rights = claims.map(claim => rightOf(target, claim, site))
  return { target, serial: serialOf(id), backing, sectorSize, portals: site.settings.portals, rights }
}

function unitOf(volume: Volume, backing: Backing, claim: Claim, site: Site): UnitDocument {
  const { id } = volume
  const lun = lunOf(id, claim.nonce ?? '')
  const document = documentOf(volume, backing, targetOf(id, claim.node), [{ ...claim, lun }], site)
  return { ...document, id, lun }
}

/** At the target of the volume. Every claim that this transport enrols there has one. */
function lunFor({ lun = 1 }: Claim): number {
  return lun
}

function chapOf(claim: Claim): ChapRoute {
  const { nonce = '', chap } = claim.session ?? claim
  return chap ? { ...chap, nonce } : { mode: 'none' }
}

function rightOf(target: string, claim: Claim, site: Site): Right {
  const initiator = parseNodeId(claim.node).initiator ?? ''
  const chap = deriveChap(site.keys, chapOf(claim), { target, initiator })
  return { initiator, readonly: claim.readonly, lun: lunFor(claim), ...(chap && { chap }) }
}

function routeOf(document: ExportDocument & { readonly lun: number }, claim: Claim): Route {
  const { target, lun, portals, serial, backing, sectorSize } = document
  const chap = chapOf(claim)
  const route = { target, lun, portals, serial, size: backing.size, sectorSize, readonly: claim.readonly, chap }
  // As udev would name it; a hint for people, and no node needs it.
  const path = `/dev/disk/by-path/ip-${portals[0]}-iscsi-${target}-lun-${lun}`
  return { device_path: path, ...encodeIscsiRoute(route) }
}

/** A volume that is a unit of nodes' targets alone needs no target of its own. */
function exportedAs(id: VolumeId, shown: Shown, units: readonly ShownUnit[]): Exported {
  const { backing, size, serial, initiators } = shown
  const ways = [...(units.length === 0 || initiators.length > 0 ? [shown] : []), ...units]
  const closed = ways.filter(({ enabled }) => !enabled)
  const troubles = [
    ...(closed.length === 0 ? [] : ['its target accepts no logins']),
    ...(serial === serialOf(id) ? [] : [`its target shows serial number ${serial}, not ${serialOf(id)}`]),
  ]
  const holders = [
    ...initiators.map(({ name, readonly }) => ({ initiator: name, readonly })),
    ...units.flatMap(({ initiator, readonly }) => (initiator === undefined ? [] : [{ initiator, readonly }])),
  ]
  return { backing, size, enabled: closed.length === 0, holders, troubles }
}

function cannotShare(id: VolumeId, { target }: IscsiSettings): NotSupported {
  return new NotSupported({
    asked: `export ${id}`,
    found: `it was published below a target of the node, which iscsi.target ${target} cannot serve`,
    next: 'set iscsi.target back to what it was published with, or unpublish the volume first',
  })
}

function cannotGrow(id: VolumeId, { target }: Shown, settings: IscsiSettings): VolumeInUse {
  return new VolumeInUse({
    asked: `expand ${id}`,
    found: `${target} is exported, and ${settings.target} cannot change the size of what it exports`,
    next: 'end the workload so that the volume is unpublished, and expand it then',
  })
}
