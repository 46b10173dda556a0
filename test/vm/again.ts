// Calls a driver again that asks for that: on one emulated processor a step may take longer than the driver waits for it.
import { DriverError } from '../../src/volume/errors.ts'

const TRIES = 20

/** Not where a test asserts the refusal itself. */
export async function again<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await call()
    } catch (error) {
      if (!(error instanceof DriverError) || error.kind !== 'unavailable' || tries === TRIES) throw error
    }
  }
}
