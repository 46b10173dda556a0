// Tests of ephemeral volumes where nothing may be asked of the machine: no pool, or a request that is not for one.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { failure, testOp } from '../../test/fixtures.ts'
import { nodeSiteWith } from '../../test/node-site.ts'
import type { Host } from '../host/host.ts'
import type { Connector } from '../transports/transport.ts'
import { encodeEphemeralId, encodeVolumeId } from '../volume/ids.ts'
import type { Journal } from './journal.ts'
import { publishVolume, unpublishVolume } from './publish-volume.ts'
import type { EphemeralHome } from './site.ts'
import { stageVolume } from './stage-volume.ts'

const untouched = <T extends object>(what: string): T =>
  new Proxy({} as T, {
    get(_, key) {
      throw new Error(`${what}.${String(key)} was touched`)
    },
  })
const SITE = nodeSiteWith(untouched<Host>('host'), untouched<Journal>('journal'), untouched<Connector>('connector'))
const WITH_HOME = { ...SITE, ephemeral: untouched<EphemeralHome>('home') }
const HANDLE = `csi-${'0123456789abcdef'.repeat(4)}`
const capability = { access: 'mount', mode: 'SINGLE_NODE_WRITER', mountFlags: [] } as const
const request = {
  id: HANDLE,
  stagingPath: '',
  targetPath: '/pods/t',
  capability,
  readonly: false,
  publishContext: {},
  volumeContext: { 'csi.storage.k8s.io/ephemeral': 'true' },
}

describe('an ephemeral volume', () => {
  it('is not offered by a process without a pool, which says what to do', async () => {
    await assert.rejects(
      publishVolume(SITE, request, testOp()),
      failure('unimplemented', /no pool of its own.*PersistentVolumeClaim/),
    )
  })

  it('has an id of kubelet’s form, and only those that have one are ephemeral', async () => {
    for (const id of [
      encodeVolumeId('p', 'a'),
      HANDLE.slice(0, -1),
      HANDLE.toUpperCase(),
      `${HANDLE}0`,
      `${HANDLE}\n`,
      `x${HANDLE}`,
    ])
      await assert.rejects(
        publishVolume(WITH_HOME, { ...request, id }, testOp()),
        failure('invalid-argument', /does not have the id/),
      )
    for (const volumeContext of [{}, { 'csi.storage.k8s.io/ephemeral': 'false' }])
      await assert.rejects(
        publishVolume(WITH_HOME, { ...request, volumeContext }, testOp()),
        failure('invalid-argument', /podInfoOnMount/),
      )
  })

  it('is not taken up or down by the id that it has in the pool', async () => {
    const id = encodeEphemeralId('p', HANDLE)
    const refusal = failure('invalid-argument', /it is an ephemeral volume/)
    await assert.rejects(publishVolume(WITH_HOME, { ...request, id }, testOp()), refusal)
    await assert.rejects(unpublishVolume(WITH_HOME, id, '/pods/t', testOp()), refusal)
    await assert.rejects(stageVolume(WITH_HOME, { ...request, id, stagingPath: '/s' }, testOp()), refusal)
  })

  it('is not read-only, and asks for nothing that pods may not choose, before anything is done', async () => {
    const wrong = [
      { readonly: true },
      { volumeContext: { ...request.volumeContext, pool: 'other' } },
      { capability: { ...capability, access: 'block' as const } },
    ]
    for (const each of wrong)
      await assert.rejects(publishVolume(WITH_HOME, { ...request, ...each }, testOp()), failure('invalid-argument'))
  })
})
