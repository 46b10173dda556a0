// A driver that cuts a group and hangs at the second cut until it is told to go on: its FOLDER and the ids of the volumes.
import { readSync, writeSync } from 'node:fs'
import { createGroup } from '../../src/controller/group-snapshots.ts'
import { testOp } from '../fixtures.ts'
import type { Driver } from './driver.ts'
import { sitesOf } from './harness.ts'

/** Nothing else happens in this process meanwhile: it hangs. */
const waitForInput = (): void => {
  for (;;) {
    try {
      readSync(0, Buffer.alloc(1))
      return
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
    }
  }
}

const [folder = '', ...sources] = process.argv.slice(2)
const { controller } = await sitesOf({ folder } as Driver, (_, { file, args }) => {
  if (file !== 'cp' || !String(args.at(-1)).endsWith('/data.1')) return undefined
  writeSync(1, 'held\n')
  waitForInput()
  return undefined
})
await createGroup(controller, { name: 'held', sources }, testOp()).then(
  () => writeSync(1, 'cut\n'),
  (error: unknown) => writeSync(1, `${String(error)}\n`),
)
