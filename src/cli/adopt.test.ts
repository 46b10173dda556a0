// The arguments of `adopt`, and what it prints for Kubernetes.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { KEPT } from '../../test/doctor-scene.ts'
import { parseAdopt, persistentVolume, runAdopt } from './adopt.ts'

const file = '/pool/disk.img'

describe('adopt', () => {
  it('looks only, without a confirmation', () => {
    const parsed = parseAdopt([file, 'one', '--config', 'x'])
    assert.deepEqual([parsed.confirmed, parsed.rest, parsed.isBlock], [false, ['--config', 'x'], false])
  })
  it('takes the name, repeated, and its own flags wherever they stand', () => {
    const parsed = parseAdopt([
      file,
      'one',
      '--pool',
      'p',
      '--config',
      'x',
      '--block',
      '--take',
      'one',
      '--transport',
      'loop',
    ])
    const { pool, transport, isBlock, confirmed, rest } = parsed
    assert.deepEqual([pool, transport, isBlock, confirmed, rest], ['p', 'loop', true, true, ['--config', 'x']])
  })
  const wrong: [string, string[], RegExp][] = [
    ['nothing', [], /adopt FILE NAME/],
    ['no name', [file], /adopt FILE NAME/],
    ['a flag for the name', [file, '--take', 'one'], /adopt FILE NAME/],
    ['a relative path', ['disk.img', 'one'], /absolute/],
    ['a path that is not plain', ['/pool/../disk.img', 'one'], /absolute/],
    ['another name', [file, 'one', '--take', 'two'], /does not repeat/],
    ['no repeated name', [file, 'one', '--take'], /needs a value/],
    ['a flag for a value', [file, 'one', '--pool', '--take', 'one'], /needs a value/],
  ]
  for (const [what, args, message] of wrong) {
    it(`refuses ${what}, before anything is opened`, async t => {
      assert.throws(() => parseAdopt(args), { message })
      t.mock.method(process.stderr, 'write', () => true)
      assert.equal(await runAdopt(args, () => assert.fail('opened')), 2)
    })
  }
  it('prints a volume that stays, where it can be reached, and a claim for it', () => {
    const volume = KEPT.volume ?? assert.fail()
    const text = persistentVolume({
      ...volume,
      segments: { 'csi.example.org/node': 'n1' },
      parameters: { fsType: 'ext4' },
    })
    for (const part of [
      'driver: csi.example.org',
      `volumeHandle: ${volume.id}`,
      'persistentVolumeReclaimPolicy: Retain',
      'key: csi.example.org/node, operator: In, values: ["n1"]',
      'fsType: ext4',
      'volumeMode: Filesystem',
      `storage: "${volume.size}"`,
    ])
      assert.ok(text.includes(part), `${part} is not in\n${text}`)
  })
})
