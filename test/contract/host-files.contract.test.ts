// The contract of files, for those of this machine; test/loop/ssh.test.ts runs it for those behind ssh.
import { localFiles } from '../../src/host/local-files.ts'
import { describeHostFiles } from './host-files.ts'

describeHostFiles('this machine', localFiles)
