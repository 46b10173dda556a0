// Tests of kernel modules: only what is missing is loaded, and what cannot be is named.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { failure, testOp } from '../../test/fixtures.ts'
import { fakeHost } from '../host/fake.ts'
import { ensureModules } from './modprobe.ts'

it('a module is loaded where its feature is missing, and named when it cannot be', async () => {
  const features = [
    { module: 'one', shownBy: '/sys/class/one' },
    { module: 'two', shownBy: '/sys/class/two' },
  ]
  const host = fakeHost([{ run: 'modprobe -- two' }], { '/sys/class/one/x': '' })
  await ensureModules(host, features, testOp())
  assert.equal(host.left(), 0)
  const fails = ensureModules(fakeHost([{ run: 'modprobe -- one', code: 1 }]), features, testOp())
  await assert.rejects(fails, failure('unavailable', /load one.*modprobe one/))
})
