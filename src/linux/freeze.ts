// Frozen filesystems: whoever writes to one sleeps in the kernel until it is thawed. fsfreeze is named here only.
import type { Host } from '../host/host.ts'
import { CannotCutTogether, CommandFailed } from '../volume/errors.ts'
import type { LetGo } from '../volume/let-go.ts'
import type { Op } from '../volume/op.ts'

const TOOL_MS = 30_000
/** Writers sleep meanwhile: well below the 30 s after which applications and health checks give up. */
export const FROZEN_SECONDS = 10
/** What is dirty is written back first. */
const FREEZE_MS = 30_000

/**
 * Freezes, echoes, and thaws when its input ends, as it does with the driver however that ends, or when the time is up.
 * Nothing but the machine's end stops it before that: the driver can only kill the program in front of it, and neither a
 * closed output nor a signal ends it. It fails unless the filesystem was frozen until its input ended.
 */
const KEEPER = `
  trap '' HUP INT PIPE TERM
  fsfreeze --freeze "$1" || exit 1
  echo
  timeout "$2" cat >/dev/null
  kept=$?
  fsfreeze --unfreeze "$1" && exit "$kept"
  exit 1`
/** A program in the background has no input but what it is given: sh(1) of POSIX, Asynchronous Lists. */
const FRONT = 'exec 3<&0; sh -c "$0" sh "$@" <&3 3<&- & exec 3<&-; wait $!'

/**
 * Nobody writes to the mounted filesystem from when this answers until the answered function is called, which throws
 * Unavailable when it was thawed before. Throws CannotCutTogether when it cannot be frozen, perhaps because it is.
 */
export async function holdFrozen(host: Host, path: string, op: Op): Promise<LetGo> {
  const args = ['-c', FRONT, KEEPER, path, String(FROZEN_SECONDS)]
  const letGo = await host.hold({ file: 'sh', args, timeoutMs: FREEZE_MS }, op).catch((error: unknown) => {
    if (!(error instanceof CommandFailed)) throw error
    const found = 'fsfreeze failed: perhaps somebody else keeps it frozen'
    throw new CannotCutTogether({ asked: `freeze ${path}`, found, next: `fsfreeze --unfreeze ${path} if nobody does` })
  })
  return async () => {
    try {
      await letGo()
    } catch (error) {
      await thaw(host, path, op)
      throw error
    }
  }
}

/** True if it was frozen. An unmounted frozen filesystem lives on and keeps its device. */
export async function thaw(host: Host, path: string, op: Op): Promise<boolean> {
  const args = ['--unfreeze', path]
  const { code } = await host.run(
    { file: 'fsfreeze', args, okCodes: [0, 1], timeoutMs: TOOL_MS, onAbort: 'finish' },
    op,
  )
  return code === 0
}
