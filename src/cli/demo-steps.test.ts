// Steps: one line each, an expected refusal is no failure, and a stopped demo begins none.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createSteps, layoutResults, type StepResult, verdictOf } from './demo-steps.ts'
import { createTerminal } from './terminal.ts'

const setUp = () => {
  let text = ''
  const stop = new AbortController()
  const terminal = createTerminal({ write: (more: string) => (text += more) }, {})
  return { steps: createSteps(terminal, stop.signal), stop, read: () => text }
}
const result = (name: string, verdict: StepResult['verdict'] = 'ok'): StepResult => ({ name, ms: 12.3, verdict })

describe('createSteps', () => {
  it('tells what a step found', async () => {
    const { steps, read } = setUp()
    await steps.run('CreateVolume', async () => '1.00 GiB')
    assert.match(read(), /^ {2}ok CreateVolume +\d+ ms {2}1\.00 GiB\n$/)
    assert.deepEqual(
      steps.results.map(({ verdict }) => verdict),
      ['ok'],
    )
  })
  it('goes on after a refusal that was expected, and tells the reason', async () => {
    const { steps, read } = setUp()
    await steps.run('NodeExpandVolume', async () => ({ refused: 'FAILED_PRECONDITION: no CAP_SYS_RESOURCE' }))
    assert.match(read(), /not on this machine:\n +FAILED_PRECONDITION: no CAP_SYS_RESOURCE\n$/)
    assert.deepEqual(
      steps.results.map(({ verdict }) => verdict),
      ['not here'],
    )
  })
  it('keeps a failed step and throws', async () => {
    const { steps, read } = setUp()
    await assert.rejects(
      steps.run('write', () => Promise.reject(new Error('EIO'))),
      /EIO/,
    )
    assert.match(read(), /!! write .* failed\n/)
    assert.deepEqual(
      steps.results.map(({ verdict }) => verdict),
      ['failed'],
    )
  })
  it('begins nothing once stopped', async () => {
    const { steps, stop } = setUp()
    stop.abort()
    let began = false
    const run = steps.run('write', async () => {
      began = true
      return ''
    })
    await assert.rejects(run, { name: 'AbortError' })
    assert.equal(began, false)
    assert.deepEqual(steps.results, [])
  })
})

describe('the table', () => {
  it('has one row a step and one column a volume, with sums and verdicts', () => {
    const columns = [
      { name: 'xfs', results: [result('CreateVolume'), result('NodeExpandVolume')] },
      { name: 'ext4', results: [result('CreateVolume'), result('NodeExpandVolume', 'not here')] },
      { name: 'block', results: [result('CreateVolume', 'failed')] },
    ]
    assert.deepEqual(layoutResults(columns), [
      'step                 xfs            ext4      block',
      'CreateVolume       12 ms ok        12 ms ok   12 ms !!',
      'NodeExpandVolume   12 ms ok        12 ms --',
      'all steps          25 ms           25 ms      12 ms',
      'verdict           passed     passed (--)     FAILED',
    ])
  })
  it('never calls a volume passed that did nothing', () => assert.equal(verdictOf([]), 'not run'))
})
