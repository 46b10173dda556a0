// A host behind a real sshd on loopback, for all tests of a file.
import { after, before } from 'node:test'
import { type SshHost, sshHost } from '../../src/host/ssh.ts'
import { type Sshd, startSshd } from './sshd.ts'

export interface Far {
  readonly sshd: Sshd
  readonly host: SshHost
}

/** Made when the tests begin, and taken away after them. */
export function farHost(): Far {
  const far = {} as { sshd: Sshd; host: SshHost }
  before(async () => {
    far.sshd = await startSshd()
    far.host = sshHost(far.sshd.settings)
  })
  after(async () => {
    await far.host.close()
    await far.sshd.end()
  })
  return far
}
