// Kernel modules: without udev nobody loads those that no device asks for.
import type { Host } from '../host/host.ts'
import { CommandFailed, Unavailable } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'

export interface Feature {
  readonly module: string
  /** There once the module is loaded or built in. */
  readonly shownBy: string
}

/** Loads what is missing. Throws Unavailable, naming the module, when a feature stays away. */
export async function ensureModules(host: Host, features: readonly Feature[], op: Op): Promise<void> {
  for (const { module, shownBy } of features) {
    if ((await host.files.list(shownBy)) !== undefined) continue
    try {
      await host.run({ file: 'modprobe', args: ['--', module], timeoutMs: 60_000, onAbort: 'finish' }, op)
    } catch (error) {
      if (!(error instanceof CommandFailed)) throw error
      throw new Unavailable(
        {
          asked: `load ${module}`,
          found: error.message,
          next: `install the kernel's modules, or run modprobe ${module}`,
        },
        { cause: error },
      )
    }
  }
}
