// Two drivers on one host, with pools and volumes of the same names: neither takes the other's devices for its own.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { useDriver } from './harness.ts'
import { backingOf, mountsAt } from './machine.ts'

const [one, other] = [useDriver(), useDriver()]

test('volumes of the same name in pools of the same name live and die apart', async () => {
  const volumes = [one, other].map(bench => bench.volume({ name: 'pvc-same' }))
  const [a, b] = await Promise.all(volumes.map(async volume => await volume.up()))
  assert.ok(a && b)
  assert.notEqual(a.id, b.id)
  assert.notEqual(a.device, b.device)

  await b.unstage()
  await b.unpublish()
  await b.delete()
  assert.equal(backingOf(a.device), a.data)
  assert.equal(mountsAt(a.staging).length, 1)
})
