// Work that is done again and again while the driver serves: at once, and then with a pause after each end.
import type { Lifetime } from './lifetime.ts'

/** The work never throws. It is waited for when the driver ends, and not begun anew then; the pause keeps nothing alive. */
export function repeat(work: () => Promise<unknown>, pauseMs: number, { draining, track }: Lifetime): void {
  const round = async () => {
    await work()
    setTimeout(() => {
      if (!draining()) track(round())
    }, pauseMs).unref()
  }
  track(round())
}
