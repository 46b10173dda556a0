// The lock names every platform's optional packages: npm 11 refuses a clean install from a lock that lost some.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'

interface Locked {
  optionalDependencies?: Record<string, string>
}

it('the lock has an entry for every optional dependency', () => {
  const file = join(import.meta.dirname, '..', '..', 'package-lock.json')
  const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, Locked> }
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      name => !(`${path}/node_modules/${name}` in packages) && !(`node_modules/${name}` in packages),
    ),
  )
  assert.deepEqual(missing, [])
})
