// A copied filesystem gets its own UUID, once: two with the same could not be mounted beside each other (xfs), or be told apart.
import type { Command, Host } from '../host/host.ts'
import type { FsType } from '../volume/capability.ts'
import { EffectMissing } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { checkFilesystem } from './check.ts'
import type { Device } from './device.ts'
import { runLocked } from './flock.ts'
import { describeContent, probe } from './format.ts'
import { mountFilesystem, unmountAll } from './mount.ts'

const TOOL_MS = 60_000

export interface Copy {
  readonly device: Device
  readonly fsType: FsType
  readonly uuid: string
  /** An empty directory: xfs replays its log only by a mount. */
  readonly path: string
}

/** Replays the journal first: neither tool changes a filesystem that was not unmounted cleanly. Safe to repeat. */
export async function giveUuid(host: Host, { device, fsType, uuid, path }: Copy, op: Op): Promise<void> {
  if (fsType === 'ext4') {
    await checkFilesystem(host, device, fsType, op)
    const change = tool('tune2fs', '-U', uuid, device.path)
    const { code } = await runLocked(host, device.path, { ...change, okCodes: [0, 1] }, op)
    // Without metadata_csum_seed the UUID is in every checksum: then tune2fs wants them checked just before.
    if (code === 1) {
      await checkFilesystem(host, device, fsType, op, { evenIfClean: true })
      await runLocked(host, device.path, change, op)
    }
  } else {
    await mountFilesystem(host, { device, path, fsType, options: ['nouuid'], readonly: false }, op)
    await unmountAll(host, path, op)
    await runLocked(host, device.path, tool('xfs_admin', '-U', uuid, device.path), op)
  }
  // xfs_admin ends with 0 also when it refuses.
  const found = await probe(host, device, op)
  if (found.kind === 'filesystem' && found.uuid === uuid) return
  throw new EffectMissing({
    asked: `give the ${fsType} filesystem on ${device.path} the UUID ${uuid}`,
    found: `it holds ${describeContent(found)}`,
    next: 'see the log; call again',
  })
}

function tool(file: string, ...args: string[]): Command {
  return { file, args, timeoutMs: TOOL_MS, onAbort: 'finish' }
}
