// docs/walk-through.md as a reader follows it, on a real node: its objects and commands, kubectl's own, and what the page says they print.
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, it } from 'node:test'
import { execa } from 'execa'
import { pathOf } from '../../hack/kube/binaries.ts'
import { template } from '../../scripts/chart-render.ts'
import { only, parseObjects } from '../chart/objects.ts'
import { useCluster } from './cluster.ts'
import { RealCluster } from './real-cluster.ts'

const bench = useCluster(() => new RealCluster())
const PAGE = readFileSync(new URL('../../docs/walk-through.md', import.meta.url), 'utf8')

type Step =
  | { readonly kind: 'file'; readonly name: string; readonly text: string }
  | { readonly kind: 'command'; readonly line: string; readonly prints: string }

/** A block of YAML is the file that the line before it names; in a console, what follows a command is what it prints. */
function stepsOf(page: string): Step[] {
  const steps: Step[] = []
  for (const [, name, language, text = ''] of page.matchAll(
    /(?:^`([\w.-]+)`[^\n]*\n\n)?^```(\w+)\n([\s\S]*?)^```$/gm,
  )) {
    if (language === 'yaml' && name !== undefined) steps.push({ kind: 'file', name, text })
    else if (language === 'console')
      for (const part of text.split(/^\$ /m).slice(1)) {
        const [line = '', ...prints] = part.trimEnd().split('\n')
        steps.push({ kind: 'command', line, prints: prints.join('\n') })
      }
    else throw new Error(`a block of ${language} that is no step: ${text.slice(0, 80)}`)
  }
  return steps
}

/** Only what prints the same each time has its output on the page. */
const saysNothing = (line: string) => /^kubectl (?:apply|wait|patch|delete) /.test(line)

beforeEach(async () => {
  const { api } = bench.cluster
  const { stdout, code } = template('local')
  assert.equal(code, 0)
  await api.remove('StorageClass', 'ashlar')
  const classes = parseObjects(stdout)
  for (const kind of ['StorageClass', 'VolumeSnapshotClass'] as const) await api.create(kind, only(classes, kind))
})

it('the walk-through works, and prints what it says', async () => {
  const { cluster } = bench
  const folder = mkdtempSync(join(cluster.driver.folder, 'reader-'))
  const kubeconfig = cluster.rig.plane.kubeconfig('reader')
  const perform = async (line: string): Promise<string> => {
    const { all } = await execa('sh', ['-c', line], {
      cwd: folder,
      all: true,
      env: { KUBECONFIG: kubeconfig, PATH: `${join(pathOf('kubectl'), '..')}:${process.env['PATH'] ?? ''}` },
    })
    return all
  }
  try {
    for (const step of stepsOf(PAGE)) {
      if (step.kind === 'file') writeFileSync(join(folder, step.name), step.text)
      else {
        const printed = await perform(step.line)
        if (!saysNothing(step.line)) assert.equal(printed, step.prints, step.line)
      }
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
})
