// Where what is built or fetched for this project is kept between runs, of all checkouts of a user: scripts/setup has the same.
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** By the XDG Base Directory Specification, which ignores relative paths. */
export const userCache = (): string => {
  const set = process.env['XDG_CACHE_HOME'] ?? ''
  return isAbsolute(set) ? set : join(homedir(), '.cache')
}

/** The path of something in it. */
export const cachePath = (...below: readonly string[]): string => join(userCache(), 'ashlar', ...below)
