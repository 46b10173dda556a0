// Reads csi-sanity's ginkgo report and compares its skips with the written list.
import type { TestResult } from '../layers/result.ts'

/** One spec of the report; ginkgo/v2 types.SpecReport, as far as it is read here. */
export interface Spec {
  ContainerHierarchyTexts: string[] | null
  LeafNodeText: string
  LeafNodeType: string
  State: string
  Failure?: { Message?: string; Location?: { FileName?: string; LineNumber?: number } }
}

/** Spec name -> why it is expected to be skipped: a capability the driver does not have yet. */
export type SkipList = ReadonlyMap<string, string>

/** Parses "[WHY]" headings, each followed by the full names of the specs that are skipped for it. */
export const parseSkipList = (text: string): SkipList => {
  const list = new Map<string, string>()
  let why = ''
  for (const [index, line] of text.split('\n').entries()) {
    const heading = /^\[(.+)\]$/.exec(line.trim())?.[1]
    if (heading !== undefined) why = heading
    else if (line.trim() !== '' && !line.startsWith('#')) {
      if (why === '') throw new Error(`expected-skips.txt:${index + 1}: a spec before the first [heading]`)
      if (list.has(line.trim())) throw new Error(`expected-skips.txt:${index + 1}: listed twice`)
      list.set(line.trim(), why)
    }
  }
  return list
}

const fullName = (spec: Spec): string =>
  [...(spec.ContainerHierarchyTexts ?? []), spec.LeafNodeText].filter(part => part !== '').join(' ')

const MESSAGE_LINES = 15

const message = ({ Failure }: Spec): string => {
  const { FileName = '', LineNumber = 0 } = Failure?.Location ?? {}
  // gomega prints whole gRPC responses; the first lines say what was expected.
  const text = (Failure?.Message ?? 'no message').split('\n').slice(0, MESSAGE_LINES).join('\n')
  return `${text}${FileName === '' ? '' : `\n(${FileName}:${LineNumber})`}`
}

const SKIPPED = ['skipped', 'pending']

/** The specs of a report; it is a list with one suite. Set-up nodes count only when they fail. */
export const parseReport = (text: string): Spec[] =>
  (JSON.parse(text) as { SpecReports: Spec[] | null }[])
    .flatMap(suite => suite.SpecReports ?? [])
    .filter(spec => spec.LeafNodeType === 'It' || spec.State !== 'passed')

/** How often a run is tried of which only connecting failed. */
export const ATTEMPTS = 2

/**
 * True when nothing but csi-sanity's own connecting failed: its v5.4.0 misses the Ready state of a connection that was
 * up at once and then waits a minute in vain.
 */
export const onlyConnectFailed = (specs: readonly Spec[]): boolean => {
  const failed = specs.filter(spec => spec.State !== 'passed' && !SKIPPED.includes(spec.State))
  return failed.length > 0 && failed.every(spec => message(spec).includes('Connection timed out'))
}

const judge = (spec: Spec, why: string | undefined): Pick<TestResult, 'status' | 'detail'> => {
  if (SKIPPED.includes(spec.State)) {
    if (why !== undefined) return { status: 'skipped', detail: why }
    return { status: 'failed', detail: `skipped but not in test/sanity/expected-skips.txt: ${message(spec)}` }
  }
  if (spec.State !== 'passed') return { status: 'failed', detail: `${spec.State}: ${message(spec)}` }
  if (why === undefined) return { status: 'passed' }
  return { status: 'failed', detail: `listed as skipped (${why}) but it ran: take it off the list` }
}

/** One result per spec. With a focus, specs outside it are left out and the list is not checked for completeness. */
export const judgeSpecs = (prefix: string, specs: readonly Spec[], list: SkipList, focused: boolean): TestResult[] => {
  const names = new Set(specs.map(fullName))
  const unknown = focused ? [] : [...list.keys()].filter(name => !names.has(name))
  return [
    ...specs
      .filter(spec => !(focused && SKIPPED.includes(spec.State)))
      .map((spec): TestResult => ({ name: `${prefix} ${fullName(spec)}`, ...judge(spec, list.get(fullName(spec))) })),
    ...unknown.map(
      (name): TestResult => ({
        name: `${prefix} ${name}`,
        status: 'failed',
        detail: 'in test/sanity/expected-skips.txt, but csi-sanity has no such spec',
      }),
    ),
  ]
}
