// Sessions of LIO: the kernel ends one only when its I/O has ended, and whoever asked for it waits with it.
import type { Host } from '../host/host.ts'
import { Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { type Group, readAttribute, targetPath } from './lio.ts'
import { switchGroup } from './lio-change.ts'
import { NotYet, waitFor } from './wait.ts'

const SYNC_MS = 8_000
/** As long as the disk may take, and a little. */
const GONE_MS = 10_000

/**
 * Throws Unavailable when the disk below the file does not answer: to end a session with I/O on it would hang, and so
 * would most looks at its target from then on.
 */
export async function requireAnswer(host: Host, file: string, op: Op): Promise<void> {
  // Nothing is written: fdatasync(2) alone reaches the disk, where a read may find a hole or the page cache.
  const args = ['if=/dev/null', `of=${file}`, 'conv=notrunc,nocreat,fdatasync', 'status=none']
  try {
    // Whatever the error, it is an answer.
    await host.run({ file: 'dd', args, okCodes: [0, 1], timeoutMs: SYNC_MS, onAbort: 'kill' }, op)
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error
    throw new Unavailable(
      {
        asked: `end the I/O on ${file}`,
        found: `the disk below it does not answer: ${error.message}`,
        next: 'nothing was changed; bring the disk back, and call again',
      },
      { cause: error },
    )
  }
}

/** Waits until the target has no sessions; the kernel ends them by itself once their group is disabled. */
async function waitForNoSessions(host: Host, target: string, op: Op): Promise<void> {
  const count = `${targetPath(target)}/fabric_statistics/iscsi_instance/sessions`
  await waitFor(
    { asked: `end the sessions of ${target}`, timeoutMs: GONE_MS },
    async () => {
      const left = await readAttribute(host, count)
      if (left !== '' && left !== '0') throw new NotYet(`there are ${left}`)
    },
    op,
  )
}

/** What an earlier call began; every change of such a group would wait in the kernel, without a limit. */
export async function waitIfEnding(host: Host, target: string, groups: readonly Group[], op: Op): Promise<void> {
  if (groups.some(({ enabled }) => !enabled)) await waitForNoSessions(host, target, op)
}

/** Accepts no logins any more, and has no sessions. */
export async function disableGroup(host: Host, target: string, { path }: Group, op: Op): Promise<void> {
  await switchGroup(host, path, false)
  await waitForNoSessions(host, target, op)
}
