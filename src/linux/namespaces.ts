// The namespaces of the host's init: where the programs run that share a daemon and its files with the whole machine.
import type { Host } from '../host/host.ts'

/** The same machine, but its programs run where the host's own do, and not in a container's namespaces. */
export function inHostNamespaces(host: Host): Host {
  return {
    ...host,
    run: (command, op) =>
      host.run({ ...command, file: 'nsenter', args: ['-t', '1', '-m', '-n', '--', command.file, ...command.args] }, op),
  }
}
