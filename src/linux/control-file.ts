// Files of the kernel that make a device do something when they are written to.
import type { Host } from '../host/host.ts'
import { CommandFailed, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

/** Each of these may wait for the device; one that answers at all does so well within this. */
const CONTROL_MS = 15_000

/**
 * By a child: the kernel answers when the device does, and a dead one would keep a thread of the driver. Throws
 * Unavailable, with the remedy, when the kernel refuses the text or the file is not there.
 */
export async function writeControl(host: Host, path: string, text: string, remedy: string, op: Op): Promise<void> {
  const args = [`of=${path}`, 'conv=notrunc,nocreat', 'status=none']
  try {
    await host.run({ file: 'dd', args, stdin: text, timeoutMs: CONTROL_MS, onAbort: 'kill' }, op)
  } catch (error) {
    if (!(error instanceof CommandFailed)) throw error
    throw new Unavailable({ asked: `write "${text}" to ${path}`, found: error.message, next: remedy }, { cause: error })
  }
}
