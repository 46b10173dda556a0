// The test layers: what each runs, and what it needs from the machine.
import { availableParallelism } from 'node:os'
import { buildBehind } from '../../hack/kube/binaries.ts'
import { runSanityLayer } from '../sanity/layer.ts'
import { rounds } from '../scale.ts'
import { runChecks } from './check.ts'
import { type NodeTestLayer, runNodeTests } from './node-test.ts'
import type { Requirement } from './requirements.ts'
import type { TestResult } from './result.ts'

export interface LayerContext {
  root: string
  /** Regular expression on test names. */
  only?: string
  /** Regular expression on the paths of test files. */
  files?: string
  /** An empty directory; reports left here by other runs (a VM guest) are added to the layer's results. */
  reportDirectory: string
}

export interface Layer {
  name: string
  needs: readonly Requirement[]
  run: (context: LayerContext) => Promise<TestResult[]>
  /** Begins with the run and goes on behind the layers before this one, which waits for it. */
  prepare?: () => Promise<void>
  /** Runs beside its neighbours: it needs nothing that they could take from it. */
  besideOthers?: boolean
  /** Runs only when it is named: it takes too long for every run. */
  onlyByName?: boolean
  /** The layer has compared its skips with a list of its own. */
  judgesSkips?: boolean
}

/** Environment variable by which tests learn where to leave the reports of runs elsewhere. */
export const REPORT_DIRECTORY_ENV = 'ASHLAR_TEST_REPORTS'

const MINUTE = 60_000

const nodeTests =
  (settings: Pick<NodeTestLayer, 'patterns' | 'isolation' | 'concurrency' | 'timeoutMs'>): Layer['run'] =>
  ({ root, only, files, reportDirectory }) =>
    runNodeTests({
      root,
      ...settings,
      ...(only === undefined ? {} : { only }),
      ...(files === undefined ? {} : { files }),
      env: { [REPORT_DIRECTORY_ENV]: reportDirectory },
    })

/** As many processes at the same time, for files that could share one. */
const together =
  (...runs: readonly Layer['run'][]): Layer['run'] =>
  async context =>
    (await Promise.all(runs.map(run => run(context)))).flat()

/** A process for each pattern, whose files share it. The last of several takes what the others leave. */
const inProcesses = (...patterns: readonly string[]): Layer['run'] =>
  together(...patterns.map(each => nodeTests({ patterns: [each], isolation: 'none', timeoutMs: 2 * MINUTE })))

const perProcess = (pattern: string, timeoutMs: number, concurrency = 1): Layer['run'] =>
  nodeTests({ patterns: [pattern], isolation: 'process', concurrency, timeoutMs })

export const LAYERS: readonly Layer[] = [
  {
    name: 'check',
    needs: [],
    run: ({ root, only }) => runChecks(root, only === undefined ? undefined : new RegExp(only)),
  },
  {
    name: 'unit',
    needs: [],
    besideOthers: true,
    // Parts of about the same work.
    run: inProcesses('src/[a-g]*/**/*.test.ts', 'src/[h-m]*/**/*.test.ts', 'src/[!a-m]*/**/*.test.ts'),
  },
  {
    name: 'contract',
    needs: [],
    besideOthers: true,
    run: inProcesses('test/contract/**/[a-p]*.test.ts', 'test/contract/**/[!a-p]*.test.ts'),
  },
  { name: 'meta', needs: [], besideOthers: true, run: inProcesses('test/meta/**/*.test.ts') },
  { name: 'chart', needs: ['helm'], run: perProcess('test/chart/**/*.test.ts', 10 * MINUTE) },
  { name: 'proto', needs: ['go'], run: perProcess('test/proto/**/*.test.ts', 5 * MINUTE) },
  {
    name: 'loop',
    needs: ['root', 'tools', 'loop', 'ssh'],
    run: perProcess('test/loop/**/*.test.ts', rounds(90, 600) * MINUTE, availableParallelism()),
  },
  {
    name: 'chaos',
    needs: ['root', 'tools', 'loop'],
    // The real driver is killed one file after the other; the simulated one needs nothing but a processor.
    run: together(
      perProcess('test/chaos/real/**/*.test.ts', rounds(45, 300) * MINUTE),
      perProcess('test/chaos/sim/**/*.test.ts', rounds(45, 300) * MINUTE),
    ),
  },
  {
    name: 'sanity',
    needs: ['root', 'tools', 'loop', 'sanity'],
    run: runSanityLayer,
    judgesSkips: true,
  },
  // One cluster does not keep two processors busy; its tests are as patient as several at once need.
  { name: 'iscsi', needs: ['root', 'sanity'], run: perProcess('test/iscsi/**/*.test.ts', 600 * MINUTE, 2) },
  {
    name: 'images',
    needs: ['root', 'tools', 'loop', 'sanity', 'helm', 'images'],
    run: perProcess('test/images/**/*.test.ts', 60 * MINUTE),
    onlyByName: true,
  },
  {
    name: 'iscsi-long',
    needs: ['root'],
    run: perProcess('test/iscsi-long/**/*.test.ts', 600 * MINUTE),
    onlyByName: true,
  },
  // Most labs have one or two VMs of one processor each; memory for seven labs is not everywhere.
  { name: 'vm', needs: ['root'], run: perProcess('test/vm/**/*.test.ts', 120 * MINUTE, 2) },
  {
    name: 'kube',
    needs: ['root', 'tools', 'loop', 'kube'],
    prepare: buildBehind,
    // Its programs wait for each other more than they work.
    run: perProcess('test/kube/**/*.test.ts', 60 * MINUTE, 2),
  },
]
