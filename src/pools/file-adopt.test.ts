// Tests of what becomes of a file whose adoption fails at the last look.
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { BLOCK, temporaryFolder, testOp } from '../../test/fixtures.ts'
import { localHost } from '../host/local.ts'
import { encodeVolumeId } from '../volume/ids.ts'
import { filePool } from './file.ts'

const op = testOp()
const BYTES = 'a'.repeat(512)
const id = encodeVolumeId('p', 'one')

/** Adopts a file that is found in use once it has its new place; `meanwhile` happens just before. */
async function adoptUsed(t: TestContext, meanwhile: (from: string) => Promise<void> = async () => undefined) {
  const path = await temporaryFolder(t)
  const pool = await filePool.open(localHost(), 'p', { type: 'file', path, overcommit: 1, sectorSize: 512 })
  const from = join(path, 'disk.img')
  await writeFile(from, BYTES)
  const spec = {
    id,
    name: 'one',
    capabilities: [BLOCK],
    parameters: {},
    transport: 'loop',
    sectorSize: 512,
    segments: {},
  }
  const requireUnused = async (place: string) => {
    if (place === from) return
    await meanwhile(from)
    throw new Error('in use')
  }
  assert.ok(pool.adopt)
  await assert.rejects(pool.adopt({ ...spec, adopted: { from } }, from, requireUnused, op), /in use/)
  return { from, data: join(path, 'volumes', id, 'data') }
}

it('goes back to its place, with its bytes', async t => {
  const { from, data } = await adoptUsed(t)
  assert.equal(await readFile(from, 'utf8'), BYTES)
  await assert.rejects(readFile(data), { code: 'ENOENT' })
})

it('does not go back over what somebody has put there meanwhile', async t => {
  const { from, data } = await adoptUsed(t, async place => await writeFile(place, 'new'))
  assert.equal(await readFile(from, 'utf8'), 'new')
  assert.equal(await readFile(data, 'utf8'), BYTES)
})
