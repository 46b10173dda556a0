// A look at everything that bears our stamp, twice where something seems wrong; and the mending of what may be mended.
import { setTimeout as sleep } from 'node:timers/promises'
import { DriverError } from '../volume/errors.ts'
import type { Op } from '../volume/op.ts'
import { type Finding, keyOf } from './finding.ts'
import { judge } from './judge.ts'
import { repair } from './repair.ts'
import { type Sites, survey, type Unseen } from './survey.ts'

export interface Report {
  readonly at: Date
  readonly problems: readonly Finding[]
  readonly inOrder: readonly Finding[]
  readonly ok: number
  /** Not looked at, or only in part. */
  readonly unseen: readonly Unseen[]
}

export interface Mended {
  readonly finding: Finding
  /** undefined: it was done. */
  readonly failure?: string
}

/** A driver at work passes through states that look wrong for a moment: what is gone after this was not. */
const PAUSE_MS = 1500
/** One repair may reveal the next: a forgotten entry, then its device. */
const ROUNDS = 4

export async function look(sites: Sites, op: Op, pauseMs = PAUSE_MS): Promise<Report> {
  const first = await examine(sites, op)
  if (first.problems.length === 0) return first
  await sleep(pauseMs)
  const second = await examine(sites, op)
  const seen = new Set(first.problems.map(keyOf))
  return { ...second, problems: second.problems.filter(each => seen.has(keyOf(each))) }
}

async function examine(sites: Sites, op: Op): Promise<Report> {
  const facts = await survey(sites, op)
  const findings = judge(facts)
  const inOrder = findings.filter(({ verdict }) => verdict === 'ok')
  const problems = findings.filter(({ verdict }) => verdict !== 'ok')
  return { at: facts.at, problems, inOrder, ok: inOrder.length, unseen: facts.unseen }
}

/** Answers what was tried, and how it looks afterwards. */
export async function mend(
  sites: Sites,
  before: Report,
  op: Op,
  pauseMs = PAUSE_MS,
): Promise<{ mended: Mended[]; after: Report }> {
  const mended: Mended[] = []
  const tried = new Set<string>()
  let report = before
  for (let round = 0; round < ROUNDS; round += 1) {
    const todo = report.problems.filter(each => each.repair && !tried.has(keyOf(each)))
    if (todo.length === 0) break
    for (const finding of todo) {
      tried.add(keyOf(finding))
      mended.push(await attempt(sites, finding, op))
    }
    report = await look(sites, op, pauseMs)
  }
  return { mended, after: report }
}

async function attempt(sites: Sites, finding: Finding, op: Op): Promise<Mended> {
  try {
    await repair(sites, finding, op)
    return { finding }
  } catch (error) {
    if (!(error instanceof DriverError)) throw error
    return { finding, failure: error.message }
  }
}
