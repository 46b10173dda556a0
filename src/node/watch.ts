// Volumes that fall ill while nobody asks: each change of a volume's condition becomes one line of the log, fit for an event.
import { filesystemTroubles, isReadOnly } from '../linux/mount.ts'
import { answersLookups } from '../linux/path.ts'
import { gauge, type Measured } from '../volume/metric.ts'
import type { Op } from '../volume/op.ts'
import type { VolumeId } from '../volume/types.ts'
import type { Entry } from './journal.ts'
import { isInterrupted } from './recover.ts'
import { findConnected, mountsOf, type NodeSite } from './site.ts'

/** Fields `event`, `volume` and `condition` are for those who make events of log lines; see docs/operations.md. */
const ABNORMAL = 'VolumeConditionAbnormal'
const NORMAL = 'VolumeConditionNormal'

export interface Watch {
  /** At all volumes at rest on this node; remembers what it saw the last time. Never throws. */
  look(op: Op): Promise<void>
  /** What it saw the last time, in numbers. */
  metrics(): Measured[]
}

export function createWatch(site: NodeSite): Watch {
  const ill = new Map<VolumeId, string>()
  let staged = 0
  const note = (id: VolumeId, troubles: readonly string[], op: Op) => {
    const [before, message] = [ill.get(id), troubles.join('; ')]
    if (message === '') ill.delete(id)
    else ill.set(id, message)
    if (message !== '' && message !== before)
      op.log.warn({ event: ABNORMAL, volume: id, condition: message }, 'a volume is not well')
    if (message === '' && before !== undefined)
      op.log.info({ event: NORMAL, volume: id, condition: before }, 'a volume is well again')
  }
  return {
    async look(op) {
      try {
        const entries = (await site.journal.inventory()).flatMap(noted => ('entry' in noted ? [noted.entry] : []))
        const atRest = entries.filter(entry => !isInterrupted(entry))
        staged = atRest.length
        for (const entry of atRest) note(entry.id, await troublesOf(site, entry, ill.has(entry.id), op), op)
        // Unstaged meanwhile: what was wrong with it here is over.
        for (const id of ill.keys()) if (!entries.some(entry => entry.id === id)) ill.delete(id)
      } catch (error) {
        op.log.warn({ cause: String(error) }, 'could not look after the volumes')
      }
    },
    metrics: () => [
      gauge('ashlar_volumes_staged', 'Volumes on this node.', [{ labels: {}, value: staged }]),
      gauge(
        'ashlar_volume_abnormal',
        '1 for each volume on this node that is not well; the log says why.',
        [...ill.keys()].map(volume => ({ labels: { volume }, value: 1 })),
      ),
    ],
  }
}

/** Only what the kernel tells at once: many volumes are looked at often, and a dead device must not hold the others up. */
async function troublesOf(
  site: NodeSite,
  { id, capability, readonly }: Entry,
  wasIll: boolean,
  op: Op,
): Promise<string[]> {
  try {
    const connected = await findConnected(site, id, op)
    if (!connected) return ['it is staged, but its device is gone: its session may have been ended by hand']
    const { connector, device } = connected
    const below = await connector.troublesOf(device)
    if (capability.access === 'block') return below
    const filesystem = (await mountsOf(site.host, device)).find(mount => mount.number === device.number)
    if (!filesystem)
      return [...below, 'its filesystem is not on the device that shows the volume now: that was connected anew']
    const wasStopped = !readonly && isReadOnly({ ...filesystem, options: [] })
    // An xfs that was shut down shows it nowhere; it is asked only when something was wrong.
    const isShut = wasIll && filesystem.fsType === 'xfs' && !(await answersLookups(site.host, filesystem.path, op))
    return [
      ...below,
      ...(isShut ? ['its filesystem was shut down after an error; end the pod, and it is staged again'] : []),
      ...(await filesystemTroubles(site.host, filesystem, device)),
      ...(wasStopped ? ['its filesystem was made read-only after an error; see the kernel log of the node'] : []),
    ]
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)]
  }
}
