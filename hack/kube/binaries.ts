// Where the programs of Kubernetes are, and how they are built from go.mod: never again until it, go.sum or Go changes.
import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { constants, setPriority } from 'node:os'
import { join } from 'node:path'
import { cachePath } from '../cache.ts'

const DRAFT = '.build-'
const DAY_MS = 24 * 60 * 60 * 1000
/** Characters of what a failed build says: go names what is wrong at its end. */
const MOST_TOLD = 4000

const HERE = import.meta.dirname
const SNAPSHOT_CLIENT = 'github.com/kubernetes-csi/external-snapshotter/client/v8'

export const BINARIES = [
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
  'csi-provisioner',
  'csi-attacher',
  'csi-resizer',
  'csi-snapshotter',
  'snapshot-controller',
  'kubectl',
  'kubelet',
] as const
export type Binary = (typeof BINARIES)[number]

/** What a process starts with this before its own words ends when its parent does. */
const WITH_PARENT = ['--pdeathsig', 'KILL'] as const

/** GOTOOLCHAIN=auto: a Go that is too old for Kubernetes fetches the one that go.mod names, as a module. */
const go = (...args: string[]): string =>
  execFileSync('setpriv', [...WITH_PARENT, 'go', ...args], {
    cwd: HERE,
    encoding: 'utf8',
    env: { ...process.env, CGO_ENABLED: '0', GOTOOLCHAIN: 'auto', GOFLAGS: '-mod=readonly' },
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 1024 * 1024,
  }).trim()

const read = (name: string): string => readFileSync(join(HERE, name), 'utf8')

/** The folder of what these go.mod, go.sum and Go make. It may not be there. */
export function binaryFolder(): string {
  const key = createHash('sha256').update(read('go.mod')).update(read('go.sum')).update(go('env', 'GOVERSION'))
  return cachePath('kube', key.digest('hex').slice(0, 16))
}

/** The folder appears whole or not at all. */
export function isBuilt(): boolean {
  return existsSync(binaryFolder())
}

let found: string | undefined
/** Path of a program; asking for the folder runs go once. */
export function pathOf(name: Binary): string {
  found ??= binaryFolder()
  return join(found, name)
}

/** The CustomResourceDefinitions of snapshots, which Kubernetes does not bring. */
export function snapshotCrds(): string[] {
  found ??= binaryFolder()
  const folder = join(found, 'crds')
  return readdirSync(folder).map(name => readFileSync(join(folder, name), 'utf8'))
}

/** As go.mod has it: v1.36.3. */
export function kubernetesVersion(): string {
  const version = /^\s*k8s\.io\/kubernetes (v\d+\.\d+\.\d+)/m.exec(read('go.mod'))?.[1]
  if (version === undefined) throw new Error('go.mod names no version of k8s.io/kubernetes')
  return version
}

/** Without these a server says that it is v0.0.0, and who asks for its version takes it for too old. */
function linkerFlags(): string {
  const gitVersion = kubernetesVersion()
  const [gitMajor = '', gitMinor = ''] = gitVersion.slice(1).split('.')
  const base = Object.entries({ gitVersion, gitMajor, gitMinor }).map(
    ([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`,
  )
  return ['-s', '-w', ...base, `-X k8s.io/client-go/pkg/version.gitVersion=${gitVersion}`].join(' ')
}

/** Builds beside the folder and renames: a killed build leaves nothing that looks whole. */
export function build(): void {
  const folder = binaryFolder()
  if (existsSync(folder)) return
  const place = join(folder, '..')
  mkdirSync(place, { recursive: true })
  clearDrafts(place)
  const draft = mkdtempSync(join(place, DRAFT))
  try {
    go('build', '-trimpath', '-ldflags', linkerFlags(), '-o', `${draft}/`, 'tool')
    const missing = BINARIES.filter(name => !existsSync(join(draft, name)))
    if (missing.length > 0) throw new Error(`go build made no ${missing.join(', ')}`)
    mkdirSync(join(draft, 'crds'))
    const source = join(go('list', '-m', '-f', '{{.Dir}}', SNAPSHOT_CLIENT), 'config', 'crd')
    for (const name of readdirSync(source).filter(each => each.startsWith('snapshot.storage')))
      copyFileSync(join(source, name), join(draft, 'crds', name))
    renameSync(draft, folder)
  } finally {
    rmSync(draft, { recursive: true, force: true })
  }
}

/** What killed builds left: none takes a day. */
function clearDrafts(place: string): void {
  const drafts = readdirSync(place).filter(name => name.startsWith(DRAFT))
  for (const path of drafts.map(name => join(place, name)))
    if (Date.now() - statSync(path).mtimeMs > DAY_MS) rmSync(path, { recursive: true, force: true })
}

/** Builds in a process of its own, behind everybody else, which ends with this one. Rejects with what went wrong. */
export async function buildBehind(): Promise<void> {
  if (isBuilt()) return
  process.stderr.write('kube: building Kubernetes and the CSI sidecars (ten minutes on two idle cores, once)\n')
  const child = spawn('setpriv', [...WITH_PARENT, process.execPath, import.meta.filename, '--behind'], {
    // A session of its own: where sessions share the processor, its share can be told.
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-MOST_TOLD)
  })
  const [code] = (await once(child, 'close')) as [number | null]
  if (code !== 0) throw new Error(`building Kubernetes failed\n${complaint}`)
}

/** Of this process against others, and of its session against theirs (sched(7), autogroup). */
function stepBehind(): void {
  setPriority(constants.priority.PRIORITY_LOW)
  const session = '/proc/self/autogroup'
  if (existsSync(session)) writeFileSync(session, String(constants.priority.PRIORITY_LOW))
}

if (import.meta.main) {
  if (process.argv.includes('--behind')) stepBehind()
  build()
}
