// Tests of expansion where the way to the volume has a say in it.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { fakeTarget } from '../../test/fake-target.ts'
import { failure, MIB, testOp } from '../../test/fixtures.ts'
import { networkSite } from '../../test/network-site.ts'
import { targetName } from '../transports/iscsi/names.ts'
import { expandVolume } from './expand-volume.ts'

const op = testOp()
const range = { required: 2n * MIB, limit: 0n }

describe('expanding a volume that is exported', () => {
  it('shows nodes the new size', async t => {
    const { site, fake, make, publish } = await networkSite(t)
    const id = await make('one')
    await publish(id)
    assert.equal(await expandVolume(site, id, range, op), 2n * MIB)
    assert.equal(fake.documents.get(targetName(id))?.backing.size, 2n * MIB)
  })

  it('is refused before a byte is promised where a target cannot grow, and works once nothing exports it', async t => {
    const { site, pool, fake, make, publish } = await networkSite(t, fakeTarget(false))
    const id = await make('one')
    await publish(id)
    await assert.rejects(expandVolume(site, id, range, op), failure('failed-precondition', /unpublished/))
    assert.equal((await pool.get(id)).size, MIB)
    fake.forget()
    assert.equal(await expandVolume(site, id, range, op), 2n * MIB)
  })
})
