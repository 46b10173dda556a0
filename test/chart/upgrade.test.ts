// An upgrade that would change what is immutable is refused before anything is changed: against a server that plays the API.
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { helmBinary } from '../../hack/kube/chart.ts'
import { chartFolder, valuesOf } from '../../scripts/chart-render.ts'

const DRIVERS = '/apis/storage.k8s.io/v1/csidrivers'

/** As much of an API server as Helm's `lookup` asks. */
function answers(attachRequired: boolean | undefined): (path: string) => object | undefined {
  const csiDriver = { apiVersion: 'storage.k8s.io/v1', kind: 'CSIDriver', metadata: { name: 'csi.ashlar.dev' } }
  const table: Record<string, object> = {
    '/version': { major: '1', minor: '36', gitVersion: 'v1.36.0' },
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/api/v1': { kind: 'APIResourceList', groupVersion: 'v1', resources: [] },
    '/apis': {
      kind: 'APIGroupList',
      apiVersion: 'v1',
      groups: [
        {
          name: 'storage.k8s.io',
          versions: [{ groupVersion: 'storage.k8s.io/v1', version: 'v1' }],
          preferredVersion: { groupVersion: 'storage.k8s.io/v1', version: 'v1' },
        },
      ],
    },
    '/apis/storage.k8s.io/v1': {
      kind: 'APIResourceList',
      groupVersion: 'storage.k8s.io/v1',
      resources: [{ name: 'csidrivers', kind: 'CSIDriver', namespaced: false, verbs: ['get'] }],
    },
    ...(attachRequired !== undefined && { [`${DRIVERS}/csi.ashlar.dev`]: { ...csiDriver, spec: { attachRequired } } }),
  }
  return path => table[path]
}

async function upgrade(
  t: TestContext,
  profile: string,
  attachRequired: boolean | undefined,
  more: readonly string[] = [],
) {
  const answer = answers(attachRequired)
  const asked: string[] = []
  const server = createServer((request, response) => {
    const path = (request.url ?? '').replace(/\?.*$/, '')
    asked.push(path)
    const body = answer(path)
    const missing = { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason: 'NotFound', code: 404 }
    response.writeHead(body ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(body ?? missing))
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', () => resolve()))
  t.after(() => server.close())
  const folder = mkdtempSync(join(tmpdir(), 'ashlar-chart-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const kubeconfig = join(folder, 'config')
  const cluster = { name: 'c', cluster: { server: `http://127.0.0.1:${(server.address() as AddressInfo).port}` } }
  const context = { name: 'c', context: { cluster: 'c', user: 'u' } }
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [cluster],
    contexts: [context],
    users: [{ name: 'u', user: {} }],
  }
  writeFileSync(kubeconfig, JSON.stringify({ ...config, 'current-context': 'c' }))
  const args = [
    'template',
    'ashlar',
    chartFolder,
    '--dry-run=server',
    '--kube-version',
    '1.36.0',
    '--values',
    valuesOf(profile),
    ...more,
  ]
  const child = spawn(helmBinary(), args, { env: { ...process.env, KUBECONFIG: kubeconfig, HOME: folder } })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const code = await new Promise<number | null>(resolve => child.once('close', resolve))
  assert.ok(asked.includes(`${DRIVERS}/csi.ashlar.dev`), `asked only ${asked.join(', ')}: ${text}`)
  return { code, text }
}

it('another profile names the CSIDriver, what cannot be changed, and the way out', async t => {
  const { code, text } = await upgrade(t, 'local', true)
  assert.notEqual(code, 0)
  assert.match(text, /CSIDriver csi\.ashlar\.dev has attachRequired true, and this profile needs false/)
  assert.match(text, /kubectl delete csidriver csi\.ashlar\.dev/)
  const back = await upgrade(t, 'iscsi-ssh', false)
  assert.match(back.text, /has attachRequired false, and this profile needs true/)
})

it('volumes of pods that were not offered before name the CSIDriver too', async t => {
  const { code, text } = await upgrade(t, 'local', false, [
    '--set',
    'config.ephemeral.maxVolumes=4,config.ephemeral.maxVolumeMiB=64,config.ephemeral.maxTotalMiB=256',
  ])
  assert.notEqual(code, 0)
  assert.match(text, /has volumeLifecycleModes \[Persistent\], and these values need \[Persistent, Ephemeral\]/)
})

it('the same profile, and a first installation, are taken', async t => {
  for (const was of [false, undefined]) {
    const { code, text } = await upgrade(t, 'local', was)
    assert.equal(code, 0, text)
    assert.match(text, /attachRequired: false/)
  }
})
