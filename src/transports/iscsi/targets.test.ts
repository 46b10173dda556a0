// One target at a time: what another still serves is found before anything is exported.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { failure, testOp } from '../../../test/fixtures.ts'
import * as lioScene from '../../../test/lio-fixtures.ts'
import * as tgtScene from '../../../test/tgt-scene.ts'
import { requireSoleTarget } from './targets.ts'

const op = testOp()

it('refuses tgt while LIO still serves a volume', async () => {
  const { fake, target } = lioScene.machine()
  await target.apply(lioScene.documentOf(), op)
  await requireSoleTarget(fake.host, { target: 'lio' }, op)
  const refused = failure(
    'failed-precondition',
    new RegExp(`lio still serves ${lioScene.ID}.*set iscsi.target back to lio`),
  )
  await assert.rejects(requireSoleTarget(fake.host, { target: 'tgt' }, op), refused)
  await target.remove(lioScene.TARGET, op)
  await requireSoleTarget(fake.host, { target: 'tgt' }, op)
})

it('refuses LIO while tgtd still serves a volume, and asks no tgtd that was never there', async () => {
  const { tgtd, target, files } = tgtScene.scene()
  await target.apply(tgtScene.documentOf([tgtScene.A]), op)
  const check = () => requireSoleTarget(tgtd.host, { target: 'lio' }, op)
  await check()
  files.set('/run/tgtd/socket.0', 0n)
  await assert.rejects(check(), failure('failed-precondition', /tgt still serves vol-/))
  await target.remove(tgtScene.NAME, op)
  await check()
})
