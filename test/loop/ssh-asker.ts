// A program that asks a machine behind ssh once and has nothing more to do: for ssh-shells.test.ts.
import { sshHost } from '../../src/host/ssh.ts'

const host = sshHost(JSON.parse(process.env['SSH_SETTINGS'] ?? ''))
process.stdout.write(String(await host.files.read('/proc/sys/kernel/ostype')))
