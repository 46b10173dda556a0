// The contract of files and commands, for this machine; test/loop/ssh.test.ts runs it for one behind ssh.
import { describe, it } from 'node:test'
import { localHost } from '../../src/host/local.ts'
import { localFiles } from '../../src/host/local-files.ts'
import { hostCommandsContract } from '../contract/host-commands.ts'
import { hostFilesContract } from '../contract/host-files.ts'

describe('files of this machine', () => {
  for (const [what, run] of Object.entries(hostFilesContract(localFiles))) it(what, run)
})

describe('commands on this machine', () => {
  for (const [what, run] of Object.entries(hostCommandsContract(localHost()))) it(what, run)
})
