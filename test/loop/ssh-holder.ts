// A driver that takes a lock on a machine behind ssh and waits to be killed: for ssh.test.ts.
import { sshHost } from '../../src/host/ssh.ts'
import { SILENT, steady } from '../../src/volume/op.ts'

const host = sshHost(JSON.parse(process.env['SSH_SETTINGS'] ?? ''))
await host.hold(
  { file: 'flock', args: ['--exclusive', '--no-fork', process.argv[2] ?? '', 'cat'], timeoutMs: 20_000 },
  steady({ log: SILENT }),
)
process.stdout.write('held\n')
setInterval(() => undefined, 60_000)
