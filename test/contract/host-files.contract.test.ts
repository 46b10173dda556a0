// The contract of files, for those of this machine; test/loop/ssh.test.ts runs it for those behind ssh.
import { describe, it } from 'node:test'
import { localFiles } from '../../src/host/local-files.ts'
import { hostFilesContract } from './host-files.ts'

describe('files of this machine', () => {
  for (const [what, run] of Object.entries(hostFilesContract(localFiles))) it(what, run)
})
