// Tests of the exporter: what a target is told follows from the claims alone.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { fakeTarget } from '../../../test/fake-target.ts'
import { BLOCK, EMPTY_LEDGER, failure, ISCSI, MIB, temporaryFolder, testOp } from '../../../test/fixtures.ts'
import { fakeHost } from '../../host/fake.ts'
import type { IscsiSettings } from '../../schema/shapes/config.ts'
import { encodeVolumeId } from '../../volume/ids.ts'
import type { Claim, Volume } from '../../volume/types.ts'
import type { Exporter } from '../transport.ts'
import { createExporter } from './exporter.ts'
import { lio } from './lio.ts'
import { serialOf, targetName } from './names.ts'
import { parseIscsiRoute } from './route.ts'
import { tgt } from './tgt.ts'

const op = testOp()
const id = encodeVolumeId('p', 'one')
const target = targetName(id)
const [A, B] = ['iqn.2026-01.dev.ashlar:node.a', 'iqn.2026-01.dev.ashlar:node.b']
const backing = { path: `/pool/volumes/${id}/data`, size: 4n * MIB }
const volume: Volume = {
  id,
  name: 'one',
  capabilities: [BLOCK],
  parameters: {},
  transport: 'iscsi',
  sectorSize: 512,
  segments: {},
  pool: 'p',
  size: backing.size,
}
const claimOf = (node: string, more: Partial<Claim> = {}): Claim => ({
  node,
  readonly: false,
  capability: BLOCK,
  blank: true,
  nonce: 'a'.repeat(32),
  ...more,
})
const [a, b] = [claimOf(`a/${A}`, { lun: 7 }), claimOf(`b/${B}`, { readonly: true, nonce: 'b'.repeat(32), lun: 9 })]
const SETTINGS: IscsiSettings = { ...ISCSI, portals: ['10.0.0.1:3260'] }

const setUp = (settings: Partial<IscsiSettings> = {}, growsOnline = true) => {
  const fake = fakeTarget(growsOnline)
  return { fake, exporter: createExporter(fakeHost([]), { ...SETTINGS, ...settings }, fake, EMPTY_LEDGER) }
}

const termsOf = (exporter: Exporter) => exporter.enrol(id, a.node, op, async terms => terms)

describe('the iSCSI exporter', () => {
  it('gives each publish a LUN of its own, beside those that there are', async () => {
    const claimsOf = async () => [a, { ...b, lun: 2_000_000_009 }]
    const exporter = createExporter(fakeHost([]), SETTINGS, fakeTarget(), { ...EMPTY_LEDGER, claimsOf })
    assert.equal((await termsOf(exporter)).lun, 2_000_000_010)
    assert.equal((await termsOf(setUp().exporter)).lun, 2_000_000_001)
    const real = lio.open(fakeHost([]))
    assert.equal(new Set(Array.from({ length: 50 }, () => real.chooseLun([]))).size, 50)
    const ofTgt = tgt.open(fakeHost([]))
    assert.ok(new Set(Array.from({ length: 50 }, () => ofTgt.chooseLun([]))).size > 40)
    assert.ok(ofTgt.chooseLun([]) >= 0x4100 && ofTgt.chooseLun([]) < 0x8000, 'in flat space addressing')
    assert.equal(ofTgt.chooseLun([20_000, 20_000]), 20_000, 'all initiators of tgt find it under the same')
  })

  it('gives the nodes of the claims their rights and nobody else, and answers a route that the node accepts', async () => {
    const { fake, exporter } = setUp()
    const route = await exporter.export(volume, backing, [a, b], op)
    assert.deepEqual(fake.documents.get(target)?.rights, [
      { initiator: A, readonly: false, lun: 7 },
      { initiator: B, readonly: true, lun: 9 },
    ])
    assert.equal(fake.documents.get(target)?.serial, serialOf(id))
    const { portals, size, readonly, lun } = parseIscsiRoute(id, A, route)
    assert.deepEqual([portals, size, readonly, lun], [SETTINGS.portals, backing.size, false, 7])
    assert.match(route['device_path'] ?? '', new RegExp(`^/dev/disk/by-path/ip-10.0.0.1:3260-iscsi-${target}-lun-7$`))
    assert.equal(parseIscsiRoute(id, A, await exporter.export(volume, backing, [b], op)).readonly, true)
    assert.deepEqual(fake.documents.get(target)?.rights, [{ initiator: B, readonly: true, lun: 9 }])
  })

  it('takes a right away, and the whole export with the last one', async () => {
    const { fake, exporter } = setUp()
    await exporter.export(volume, backing, [a, b], op)
    await exporter.unexport(id, b.node, op)
    assert.deepEqual(
      fake.documents.get(target)?.rights.map(({ initiator }) => initiator),
      [A],
    )
    await assert.rejects(exporter.requireUnused(id, op), failure('failed-precondition', /node\.a/))
    await exporter.unexport(id, a.node, op)
    assert.equal(fake.documents.size, 0)
    await exporter.requireUnused(id, op)
    await exporter.unexport(id, a.node, op)
  })

  it('refuses two nodes with one initiator name, before it changes anything', async () => {
    const { fake, exporter } = setUp()
    const twin = claimOf(`other/${A}`)
    await assert.rejects(
      exporter.export(volume, backing, [a, twin], op),
      failure('failed-precondition', /node other\/.* same initiator name.*name of its own/),
    )
    assert.deepEqual(fake.calls, [])
  })

  it('cannot reach a node that has no initiator', () => {
    const { exporter } = setUp()
    assert.equal(exporter.reaches(a.node), true)
    for (const node of ['a', 'fake-node', '', 'a/b']) assert.equal(exporter.reaches(node), false, node)
  })

  it('derives secrets for each publish, and sends none of them', async t => {
    const path = join(await temporaryFolder(t), 'key')
    await writeFile(path, 'k'.repeat(32))
    const { fake, exporter } = setUp({ chap: 'mutual', chapKeyFile: path })
    const terms = await termsOf(exporter)
    const route = await exporter.export(
      volume,
      backing,
      [
        { ...a, ...terms },
        { ...b, ...terms },
      ],
      op,
    )
    const rights = fake.documents.get(target)?.rights ?? []
    const secrets = rights.flatMap(({ chap }) => [chap?.password.reveal(), chap?.mutual?.password.reveal()])
    assert.equal(new Set(secrets).size, 4)
    assert.ok(secrets.every(each => each !== undefined && !JSON.stringify([route, terms]).includes(each)))
    await exporter.export(volume, backing, [{ ...a, ...terms, nonce: 'c'.repeat(32) }], op)
    assert.notEqual(fake.documents.get(target)?.rights[0]?.chap?.password.reveal(), secrets[0])
    const broken = setUp({ chap: 'one-way', chapKeyFile: '/nonexistent/key' })
    await assert.rejects(termsOf(broken.exporter), failure('unavailable', /CHAP/))
    await assert.rejects(
      broken.exporter.export(volume, backing, [{ ...a, ...terms }], op),
      failure('unavailable', /CHAP/),
    )
    assert.deepEqual(broken.fake.calls, [])
  })

  it('makes an export again as it was, whatever the settings have become: its nodes could not come back else', async t => {
    const path = join(await temporaryFolder(t), 'key')
    await writeFile(path, 'k'.repeat(32))
    const before = setUp({ chap: 'mutual', chapKeyFile: path })
    const claims = [{ ...a, ...(await termsOf(before.exporter)) }, b] as const
    const route = await before.exporter.export(volume, backing, claims, op)
    await writeFile(path, `${'n'.repeat(32)}\n${'k'.repeat(32)}\n`)
    for (const chap of ['mutual', 'one-way', 'none'] as const) {
      const after = setUp({ chap, chapKeyFile: path })
      assert.deepEqual(await after.exporter.export(volume, backing, claims, op), route)
      const [now, then] = [after, before].map(({ fake }) =>
        fake.documents.get(target)?.rights.map(right => right.chap?.password.reveal()),
      )
      assert.deepEqual(now, then)
    }
  })

  it('grows what is exported where the target can, and says what to do where it cannot', async () => {
    const larger = { ...backing, size: 8n * MIB }
    const { fake, exporter } = setUp()
    await exporter.requireGrowable(id, op)
    await exporter.grow(volume, larger, op)
    await exporter.export(volume, backing, [a], op)
    await exporter.grow(volume, larger, op)
    await exporter.grow(volume, larger, op)
    assert.deepEqual(
      fake.calls.filter(call => call.startsWith('grow')),
      [`grow ${target} ${larger.size}`],
    )

    const fixed = setUp({ target: 'tgt' }, false)
    await fixed.exporter.requireGrowable(id, op)
    await fixed.exporter.export(volume, backing, [a], op)
    await assert.rejects(fixed.exporter.requireGrowable(id, op), failure('failed-precondition', /tgt cannot change/))
  })

  it('shows what is exported, and what is wrong with it', async () => {
    const { fake, exporter } = setUp()
    assert.deepEqual(await exporter.exports(op), new Map())
    await exporter.export(volume, backing, [a], op)
    const holders = [{ initiator: A, readonly: false }]
    assert.deepEqual((await exporter.exports(op)).get(id), {
      backing: backing.path,
      size: backing.size,
      enabled: true,
      holders,
      troubles: [],
    })
    const document = fake.documents.get(target)
    assert.ok(document)
    fake.documents.set(target, { ...document, serial: 'f'.repeat(32) })
    assert.match((await exporter.exports(op)).get(id)?.troubles.join() ?? '', /serial number f+, not/)
    await exporter.withdraw(id, op)
    assert.equal(fake.documents.size, 0)
  })

  it('holds writes by serving nobody, and serves again as before', async () => {
    const { fake, exporter } = setUp()
    await (await exporter.pause(volume, backing, [], op))()
    await exporter.export(volume, backing, [a, b], op)
    const document = fake.documents.get(target)
    const letGo = await exporter.pause(volume, backing, [a, b], op)
    assert.equal(fake.documents.size, 0)
    await letGo()
    assert.deepEqual(fake.documents.get(target), document)
    const late = await exporter.pause(volume, backing, [a, b], op)
    await exporter.export(volume, backing, [a], op)
    await assert.rejects(late(), failure('unavailable', /exported it as .* meanwhile/))
    assert.deepEqual(fake.documents.get(target), document)
  })

  it('goes on serving while writes are held what may only be read, and holds none below the target of a node', async () => {
    const { fake, exporter } = setUp()
    await exporter.export(volume, backing, [b], op)
    await (await exporter.pause(volume, backing, [b], op))()
    assert.equal(fake.calls.filter(call => call.startsWith('remove')).length, 0)
    const unit = claimOf(`a/${A}`, { session: { nonce: 'c'.repeat(32) } })
    await assert.rejects(
      exporter.pause(volume, backing, [unit], op),
      failure('failed-precondition', /other volumes would/),
    )
    await assert.rejects(exporter.pause(volume, backing, [], op), failure('failed-precondition', /exported to/))
  })
})
