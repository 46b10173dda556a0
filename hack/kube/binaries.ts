// Where the programs of Kubernetes are, and how they are built from go.mod: never again until it, go.sum or Go changes.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { cachePath } from '../cache.ts'

const HERE = import.meta.dirname
const SNAPSHOT_CLIENT = 'github.com/kubernetes-csi/external-snapshotter/client/v8'

export const BINARIES = [
  'kube-apiserver',
  'kube-controller-manager',
  'csi-provisioner',
  'csi-attacher',
  'csi-resizer',
  'csi-snapshotter',
  'snapshot-controller',
  'kubectl',
] as const
export type Binary = (typeof BINARIES)[number]

/** GOTOOLCHAIN=auto: a Go that is too old for Kubernetes fetches the one that go.mod names, as a module. */
const go = (...args: string[]): string =>
  execFileSync('go', args, {
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
  mkdirSync(join(folder, '..'), { recursive: true })
  const draft = mkdtempSync(join(folder, '..', '.build-'))
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

// With --check: exit code 1 when there is something to build.
if (import.meta.main) {
  if (!process.argv.includes('--check')) build()
  else if (!isBuilt()) process.exitCode = 1
}
