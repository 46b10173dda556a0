// A host that dies between two changes of files, for tests that stop a driver there.
import type { Host, HostFiles } from '../../src/host/host.ts'

const CHANGES = ['write', 'link', 'makeDirectory', 'removeFile', 'removeDirectory'] as const
class Killed extends Error {}

/** Does its first `n` changes only; then every one throws, as if the process were gone. */
export function dying(host: Host, n: number): { host: Host; isDead: () => boolean } {
  let left = n
  const files: Record<string, unknown> = { ...host.files }
  for (const name of CHANGES) {
    files[name] = async (...args: never[]) => {
      left -= 1
      if (left < 0) throw new Killed()
      await (host.files[name] as (...all: never[]) => Promise<unknown>)(...args)
    }
  }
  return { host: { ...host, files: files as unknown as HostFiles }, isDead: () => left < 0 }
}
