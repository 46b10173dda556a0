// Tests of the csi-sanity runner's parsers: reports, skip lists, mounts and loop devices.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { combinationName } from '../sanity/combination.ts'
import { parseLoops, parseMounts } from '../sanity/leftovers.ts'
import { judgeSpecs, onlyConnectFailed, parseReport, parseSkipList, type Spec } from '../sanity/report.ts'

const spec = (name: string, state: string, text = ''): Spec => ({
  ContainerHierarchyTexts: ['Node Service', 'NodeStageVolume'],
  LeafNodeText: name,
  LeafNodeType: 'It',
  State: state,
  Failure: { Message: text, Location: { FileName: 'node.go', LineNumber: 7 } },
})

const full = (name: string): string => `Node Service NodeStageVolume ${name}`

describe('a ginkgo report', () => {
  it('yields specs and failed set-up nodes', () => {
    const setUp = (state: string): Spec => ({ ...spec('', state), LeafNodeType: 'BeforeSuite' })
    const specs = [spec('works', 'passed'), setUp('passed'), setUp('failed')]
    assert.deepEqual(
      parseReport(JSON.stringify([{ SpecReports: specs }])).map(found => [found.LeafNodeType, found.State]),
      [
        ['It', 'passed'],
        ['BeforeSuite', 'failed'],
      ],
    )
    assert.deepEqual(parseReport('[{"SpecReports": null}]'), [])
  })

  it('is tried again only when nothing but the connecting failed', () => {
    const connect = spec('a', 'failed', 'error: Connection timed out')
    assert.equal(onlyConnectFailed([connect, spec('b', 'passed')]), true)
    assert.equal(onlyConnectFailed([connect, spec('b', 'failed', 'wrong code')]), false)
    assert.equal(onlyConnectFailed([spec('b', 'passed')]), false)
  })
})

describe('the skips of csi-sanity', () => {
  const list = parseSkipList(`# comment\n\n[CLONE_VOLUME]\n${full('listed')}\n`)
  const judge = (specs: Spec[], focused = false): string[] =>
    judgeSpecs('sanity/split/block', specs, list, focused).map(({ name, status, detail = '' }) =>
      [status, name, detail.split('\n')[0]].join(' | '),
    )

  it('pass when listed, fail when not', () => {
    assert.deepEqual(
      judge([spec('listed', 'skipped'), spec('other', 'skipped', 'not supported'), spec('ok', 'passed')]),
      [
        `skipped | sanity/split/block ${full('listed')} | CLONE_VOLUME`,
        `failed | sanity/split/block ${full('other')} | skipped but not in test/sanity/expected-skips.txt: not supported`,
        `passed | sanity/split/block ${full('ok')} | `,
      ],
    )
    assert.match(judge([spec('listed', 'skipped'), spec('x', 'pending')])[1] ?? '', /^failed/)
  })

  it('fail when listed but run, and when no such spec exists', () => {
    assert.match(judge([spec('listed', 'passed')])[0] ?? '', /^failed .*take it off the list/)
    assert.match(judge([spec('ok', 'passed')])[1] ?? '', /^failed .*no such spec/)
  })

  it('are left out outside a focus', () => {
    assert.deepEqual(judge([spec('other', 'skipped'), spec('ok', 'passed')], true), [
      `passed | sanity/split/block ${full('ok')} | `,
    ])
  })

  it('count every other state as a failure', () => {
    for (const state of ['failed', 'panicked', 'interrupted', 'timedout', 'aborted', 'unheard-of']) {
      assert.match(judge([spec('listed', 'skipped'), spec('x', state)])[1] ?? '', new RegExp(`^failed .*${state}`))
    }
  })

  it('have a list that parses, without doubles or lines outside a section', () => {
    const file = join(import.meta.dirname, '..', 'sanity', 'expected-skips.txt')
    assert.ok(parseSkipList(readFileSync(file, 'utf8')).size > 0)
    assert.throws(() => parseSkipList('name\n'), /before the first/)
    assert.throws(() => parseSkipList('[A]\nname\nname\n'), /twice/)
  })
})

describe('what a run leaves behind', () => {
  it('is found in mountinfo, with decoded names, below the directory only', () => {
    const text = [
      '36 35 7:0 / /tmp/w/mount\\040point rw,noatime - ext4 /dev/loop0 rw',
      '37 35 0:5 /loop1 /tmp/w/target rw - devtmpfs udev rw',
      '38 35 7:2 / /tmp/wide rw - ext4 /dev/loop2 rw',
      '',
    ].join('\n')
    assert.deepEqual(parseMounts(text, '/tmp/w'), ['/tmp/w/mount point', '/tmp/w/target'])
  })

  it('is found among loop devices, also with a deleted file', () => {
    const text = '/dev/loop0 /tmp/w/pool/a b\n/dev/loop11 /tmp/w/c (deleted)\n/dev/loop2 /tmp/wide/d\n/dev/loop3\n'
    assert.deepEqual(parseLoops(text, '/tmp/w'), [
      { device: '/dev/loop0', backing: '/tmp/w/pool/a b' },
      { device: '/dev/loop11', backing: '/tmp/w/c (deleted)' },
    ])
  })
})

it('a combination has a name', () => {
  assert.equal(combinationName({ mode: 'split', accessType: 'mount', fsType: 'xfs' }), 'sanity/split/mount-xfs')
  assert.equal(combinationName({ mode: 'all-in-one', accessType: 'block' }), 'sanity/all-in-one/block')
})
