// Filesystem checks before a mount: replay the journal and preen, never a lossy repair. e2fsck is named here only.
import type { Host } from '../host/host.ts'
import type { FsType } from '../volume/capability.ts'
import { FilesystemUnfit, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import type { Device } from './device.ts'
import { runLocked } from './flock.ts'

/** A warning is logged after this; a check is never interrupted. */
const CHECK_MS = 600_000

/** e2fsck(8) exit codes: 0 clean, 1 corrected, 2 corrected and a reboot is advised (root filesystems only). */
const USABLE = [0, 1, 2]
/** Errors left: a person must decide. */
const UNCORRECTED = 4
/** The device is busy or unreadable. */
const OPERATIONAL = 8

/** xfs needs none: its mount replays the log, and fsck.xfs does nothing by design (fsck.xfs(8)). */
export async function checkFilesystem(
  host: Host,
  device: Device,
  fsType: FsType,
  op: Op,
  { evenIfClean = false } = {},
): Promise<void> {
  if (fsType !== 'ext4') return
  const asked = `check the ${fsType} filesystem on ${device.path}`
  const { code, stdout, stderr } = await runLocked(
    host,
    device.path,
    {
      file: 'e2fsck',
      args: [evenIfClean ? '-fp' : '-p', device.path],
      okCodes: [...USABLE, UNCORRECTED, OPERATIONAL],
      timeoutMs: CHECK_MS,
      onAbort: 'finish',
    },
    op,
  )
  const found = wordsOf(stderr || stdout)
  if (code === UNCORRECTED) {
    throw new FilesystemUnfit({
      asked,
      found: `it has errors that cannot be repaired without losing data: ${found}`,
      next: 'take a snapshot, then run e2fsck by hand',
    })
  }
  if (code === OPERATIONAL) throw new Unavailable({ asked, found, next: 'check the device and call again' })
  if (code !== 0) op.log.info({ device: device.path, code, found }, 'filesystem repaired')
}

/** The last lines that say what was found; the advice at the end is about options of e2fsck that we do not use. */
function wordsOf(output: string): string {
  const lines = output.split('\n').map(line => line.trim())
  return lines
    .filter(line => line !== '' && !/UNEXPECTED INCONSISTENCY|without -a or -p/.test(line))
    .slice(-3)
    .join('; ')
}
