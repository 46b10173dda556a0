// Work that is done again and again while the driver serves: at once, and then with a pause after each end.
import type { Lifetime } from './lifetime.ts'

/** The pause is so many times as long as the work before it was, if that is more: a busy host is not kept busy by it. */
const REST = 3
/** Work also takes long when it waits in vain for another host, which must not be kept waiting when it is back. */
const LONGEST_REST_MS = 20_000

/** The work never throws. It is waited for when the driver ends, and not begun anew then; the pause keeps nothing alive. */
export function repeat(
  work: () => Promise<unknown>,
  pauseMs: number,
  { draining, track }: Pick<Lifetime, 'draining' | 'track'>,
): void {
  const round = async () => {
    const begun = performance.now()
    await work()
    const tookMs = performance.now() - begun
    const again = () => {
      if (!draining()) track(round())
    }
    setTimeout(again, Math.max(pauseMs, Math.min(REST * tookMs, LONGEST_REST_MS))).unref()
  }
  track(round())
}
