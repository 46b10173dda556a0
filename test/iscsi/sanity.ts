// csi-sanity on node-a, against the node plugin there and the controller on the storage host.
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { sanityBinary } from '../layers/requirements.ts'
import type { TestResult } from '../layers/result.ts'
import { type Combination, sanityFiles } from '../sanity/combination.ts'
import { ATTEMPTS, judgeSpecs, onlyConnectFailed, parseReport, parseSkipList, type Spec } from '../sanity/report.ts'
import type { Cluster } from './cluster.ts'

interface Capabilities {
  capabilities: { rpc?: { type: string } }[]
}

/** One result a spec; those that the written list of skips names are skipped, others must not be. */
export async function runClusterSanity(
  cluster: Cluster,
  combination: Omit<Combination, 'mode'>,
): Promise<{ results: TestResult[]; canary: string }> {
  const here = join(cluster.lab.share, 'sanity')
  mkdirSync(here)
  const { flags, report, canary } = sanityFiles(here, { mode: 'split', ...combination })
  const { capabilities } = await cluster.call<Capabilities>('storage', 'Controller', 'ControllerGetCapabilities')
  const specs = await runSpecs(cluster, report, attempt =>
    flags(
      capabilities.map(({ rpc }) => rpc?.type ?? ''),
      attempt,
    ).map(flag => {
      // What csi-sanity mounts on must not lie on the folder that all share.
      const [name] = /^--csi\.(?:mount|staging)dir=/.exec(flag) ?? []
      return name === undefined
        ? flag.replaceAll(here, '/lab/share/sanity')
        : `${name}/var/lib/csi-sanity-${attempt}${name.replace(/\W/g, '')}`
    }),
  )
  const list = parseSkipList(readFileSync(join(import.meta.dirname, '../sanity/expected-skips.txt'), 'utf8'))
  return { results: judgeSpecs(`iscsi/${combination.accessType}`, specs, list, false), canary }
}

async function runSpecs(cluster: Cluster, report: string, flags: (attempt: number) => string[]): Promise<Spec[]> {
  const endpoints = [
    `--csi.endpoint=dns:///${cluster.address('node-a')}`,
    `--csi.controllerendpoint=dns:///${cluster.address('storage')}`,
  ]
  for (let attempt = 1; ; attempt += 1) {
    rmSync(report, { force: true })
    const args = [...endpoints, ...flags(attempt)].join(' ')
    const { code, stdout, stderr } = await cluster
      .machine('node-a')
      .exec(`cd /lab/share/sanity && ${sanityBinary()} ${args} 2>&1 | tail -40`, { timeout: 6000 })
    let text: string
    try {
      text = readFileSync(report, 'utf8')
    } catch (error) {
      throw new Error(`csi-sanity wrote no report (${code}): ${stdout}${stderr}`, { cause: error })
    }
    const specs = parseReport(text)
    if (attempt === ATTEMPTS || !onlyConnectFailed(specs)) return specs
  }
}
