// Preloaded by a spare driver process: loads the driver's modules, then waits until the process is needed.
import { closeSync, readSync } from 'node:fs'

/** A byte says "go on", the end of the pipe that nobody will ever say so. */
const GO_FD = 3

await import('../../src/app/run.ts')
if (readSync(GO_FD, Buffer.alloc(1)) === 0) process.exit(0)
closeSync(GO_FD) // the driver's children must not inherit it
