// What every main does: read the configuration, start the role, stay until told to go.
import { THREADS } from '../host/isolated-files.ts'
import { ConfigError, readConfig, type Settings, USAGE } from './config.ts'
import { createLifetime } from './lifetime.ts'
import { createLogger } from './logger.ts'
import { type Role, resolvePools, startDriver } from './wire.ts'

/** Misconfiguration ends the process with code 2 before anything is touched. */
export async function runDriver(role: Role): Promise<void> {
  // libuv reads this when the first file call needs a thread.
  process.env['UV_THREADPOOL_SIZE'] ??= String(THREADS)
  const settings = settingsOrExit(role)
  const log = createLogger(settings.log.level)
  const lifetime = createLifetime(log)
  try {
    const server = await startDriver(role, await resolvePools(settings), log, lifetime)
    lifetime.guard(server, settings.drainSeconds * 1000)
    log.info({ role, driver: settings.driverName, endpoint: settings.endpoint, node: settings.nodeId }, 'serving')
  } catch (error) {
    log.error({ err: error }, 'could not start')
    process.exit(1)
  }
}

function settingsOrExit(role: Role): Settings {
  const argv = process.argv.slice(2)
  if (argv.includes('--help')) {
    process.stdout.write(`${USAGE}\n`)
    process.exit(0)
  }
  try {
    return readConfig(argv, process.env, { isController: role !== 'node' })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(2)
  }
}
