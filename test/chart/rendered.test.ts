// The committed manifests are what the chart renders today.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { it } from 'node:test'
import { COMMITTED, manifest, manifestOf } from '../../scripts/chart-render.ts'

for (const profile of COMMITTED) {
  it(`charts/rendered/${profile}.yaml; after a change of the chart: npm run render`, () => {
    assert.equal(readFileSync(manifestOf(profile), 'utf8'), manifest(profile))
  })
}
