// csi-sanity on node-a, against the node plugin there and the controller on the storage host.
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { sanityBinary } from '../layers/requirements.ts'
import type { TestResult } from '../layers/result.ts'
import { type Combination, sanityFiles } from '../sanity/combination.ts'
import { judgeSpecs, parseReport, parseSkipList } from '../sanity/report.ts'
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
  const given = flags(
    capabilities.map(({ rpc }) => rpc?.type ?? ''),
    1,
  ).map(flag => {
    // What csi-sanity mounts on must not lie on the folder that all share.
    const [name] = /^--csi\.(?:mount|staging)dir=/.exec(flag) ?? []
    return name === undefined
      ? flag.replaceAll(here, '/lab/share/sanity')
      : `${name}/var/lib/csi-sanity${name.replace(/\W/g, '')}`
  })
  const endpoints = [
    `--csi.endpoint=dns:///${cluster.address('node-a')}`,
    `--csi.controllerendpoint=dns:///${cluster.address('storage')}`,
  ]
  const { code, stdout, stderr } = await cluster
    .machine('node-a')
    .exec(`cd /lab/share/sanity && ${sanityBinary()} ${[...endpoints, ...given].join(' ')} 2>&1 | tail -40`, {
      timeout: 1800,
    })
  let text: string
  try {
    text = readFileSync(report, 'utf8')
  } catch (error) {
    throw new Error(`csi-sanity wrote no report (${code}): ${stdout}${stderr}`, { cause: error })
  }
  const list = parseSkipList(readFileSync(join(import.meta.dirname, '../sanity/expected-skips.txt'), 'utf8'))
  return { results: judgeSpecs(`iscsi/${combination.accessType}`, parseReport(text), list, false), canary }
}
