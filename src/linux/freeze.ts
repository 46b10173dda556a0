// Frozen filesystems: whoever writes to one sleeps in the kernel until it is thawed. fsfreeze is named here only.
import type { Host } from '../host/host.ts'
import type { Op } from '../volume/op.ts'

const TOOL_MS = 30_000

/** True if it was frozen. An unmounted frozen filesystem lives on and keeps its device. */
export async function thaw(host: Host, path: string, op: Op): Promise<boolean> {
  const args = ['--unfreeze', path]
  const { code } = await host.run(
    { file: 'fsfreeze', args, okCodes: [0, 1], timeoutMs: TOOL_MS, onAbort: 'finish' },
    op,
  )
  return code === 0
}
