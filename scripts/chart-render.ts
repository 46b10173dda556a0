// Renders the chart with the values of charts/ashlar/ci; run as a program, it writes the manifests for those without Helm.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { helmBinary } from '../hack/kube/chart.ts'

const root = resolve(import.meta.dirname, '..')
export const chartFolder = join(root, 'charts/ashlar')

/** One for each file of charts/ashlar/ci. */
export const PROFILES: readonly string[] = globSync('*-values.yaml', { cwd: join(chartFolder, 'ci') })
  .map(name => name.replace(/-values\.yaml$/, ''))
  .sort()
/** What a cluster offers that has everything the chart can use. */
export const CLUSTER: readonly string[] = ['snapshot.storage.k8s.io/v1', 'storage.k8s.io/v1/VolumeAttributesClass']
/** Committed as manifests. */
export const COMMITTED: readonly string[] = ['local', 'iscsi-storage-host', 'iscsi-ssh']

export const valuesOf = (profile: string): string => join(chartFolder, 'ci', `${profile}-values.yaml`)
export const manifestOf = (profile: string): string => join(root, 'charts/rendered', `${profile}.yaml`)

export interface Outcome {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | null
}

export function helm(...args: readonly string[]): Outcome {
  const { status: code, stdout, stderr, error } = spawnSync(helmBinary(), [...args], { encoding: 'utf8' })
  if (error) throw error
  return { stdout, stderr, code }
}

export function template(profile: string, more: readonly string[] = [], apis: readonly string[] = CLUSTER): Outcome {
  const versions = ['--kube-version', '1.36.0', ...apis.flatMap(each => ['--api-versions', each])]
  const release = ['template', 'ashlar', chartFolder, '--namespace', 'ashlar-system']
  return helm(...release, '--values', valuesOf(profile), ...versions, ...more)
}

/** A namespace, which Helm makes by itself, and the objects; without what tells of Helm. */
export function manifest(profile: string): string {
  const { stdout, stderr, code } = template(profile)
  if (code !== 0) throw new Error(stderr)
  const head = readFileSync(valuesOf(profile), 'utf8').split('\n', 1)[0] ?? ''
  const namespace = [
    'apiVersion: v1',
    'kind: Namespace',
    'metadata:',
    '  name: ashlar-system',
    '  labels:',
    '    pod-security.kubernetes.io/enforce: privileged',
    '',
  ].join('\n')
  const objects = stdout.replaceAll(/^.*(?:app\.kubernetes\.io\/managed-by|helm\.sh\/chart): .*\n/gm, '')
  return `${head}\n# Rendered from charts/ashlar with ci/${basename(valuesOf(profile))}: npm run render\n${namespace}${objects}`
}

if (import.meta.main) for (const each of COMMITTED) writeFileSync(manifestOf(each), manifest(each))
