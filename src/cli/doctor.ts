// `doctor`: what is wrong with the pools, devices, mounts and journal of this machine, and --repair for what loses nothing.
import { look, type Mended, mend, type Report } from '../doctor/doctor.ts'
import { describeRepair, type Finding } from '../doctor/finding.ts'
import type { Sites } from '../doctor/survey.ts'
import { type Op, SILENT } from '../volume/op.ts'
import { createTerminal, formatDuration, formatGib, type Terminal, wrap } from './terminal.ts'

export interface Wanted {
  readonly json: boolean
  readonly repair: boolean
  readonly all: boolean
  /** Flags of the driver. */
  readonly rest: readonly string[]
}

/** Flags of the driver to what the commands work with; throws when they are wrong. */
export type OpenSites = (flags: readonly string[]) => Promise<Sites>

const OWN = ['--json', '--repair', '--all']
/** Raised when a reader of the old report would misread the new one. */
const VERSION = 1
/** Something that changed so shortly ago may be changing still. */
const YOUNG_MS = 10_000
const WIDTH = 100

export function parseDoctor(args: readonly string[]): Wanted {
  const has = (flag: string) => args.includes(flag)
  return {
    json: has('--json'),
    repair: has('--repair'),
    all: has('--all'),
    rest: args.filter(arg => !OWN.includes(arg)),
  }
}

/** Answers the exit code. */
export async function runDoctor(args: readonly string[], open: OpenSites): Promise<number> {
  const wanted = parseDoctor(args)
  const op: Op = { log: SILENT, signal: new AbortController().signal }
  try {
    const sites = await open(wanted.rest)
    const first = await look(sites, op)
    const { mended, after } = wanted.repair ? await mend(sites, first, op) : { mended: [], after: first }
    if (wanted.json) process.stdout.write(`${JSON.stringify(jsonOf(after, mended, wanted), undefined, 2)}\n`)
    else print(createTerminal(process.stdout, process.env), after, mended, wanted)
    return exitCode(after)
  } catch (error) {
    process.stderr.write(`doctor could not look: ${error instanceof Error ? error.message : String(error)}\n`)
    return 2
  }
}

/** What was not seen may be wrong as well. */
export function exitCode({ problems, unseen }: Report): number {
  if (unseen.length > 0) return 2
  return problems.length > 0 ? 1 : 0
}

/** Programs read this: keys are added, never renamed. */
export function jsonOf(report: Report, mended: readonly Mended[], { repair, all }: Wanted): object {
  const { at, problems, inOrder, ok, unseen } = report
  return {
    version: VERSION,
    at: at.toISOString(),
    problems: problems.map(each => jsonOfFinding(each, at)),
    ok,
    ...(all && { inOrder: inOrder.map(each => jsonOfFinding(each, at)) }),
    unseen,
    ...(repair && {
      repairs: mended.map(({ finding, failure }) => ({
        ...jsonOfFinding(finding, at),
        done: failure === undefined,
        failure: failure ?? null,
      })),
    }),
  }
}

function jsonOfFinding(finding: Finding, at: Date): object {
  const { kind, name, volume, verdict, size, found, remedy, repair } = finding
  const age = ageOf(finding, at)
  return {
    kind,
    name,
    volume: volume ?? null,
    verdict,
    ageSeconds: age === undefined ? null : Math.round(age / 1000),
    young: isYoung(finding, at),
    sizeBytes: size === undefined ? null : String(size),
    found,
    remedy,
    repair: repair ? describeRepair(repair) : null,
  }
}

function ageOf({ changed }: Finding, at: Date): number | undefined {
  return changed && Math.max(0, at.getTime() - changed.getTime())
}

function isYoung(finding: Finding, at: Date): boolean {
  return (ageOf(finding, at) ?? YOUNG_MS) < YOUNG_MS
}

function print(terminal: Terminal, report: Report, mended: readonly Mended[], { repair, all }: Wanted): void {
  for (const { what, why } of report.unseen) terminal.line(`${terminal.paint('red', 'not seen')}  ${what}: ${why}`)
  for (const { finding, failure } of mended) {
    const what = finding.repair ? describeRepair(finding.repair) : ''
    const word = failure === undefined ? terminal.paint('green', 'mended') : terminal.paint('red', 'not mended')
    terminal.line(`${word}  ${finding.kind} ${finding.name}: ${failure ?? what}`)
  }
  const shown = [...report.problems, ...(all ? report.inOrder : [])]
  for (const line of tableOf(terminal, shown, report.at, repair)) terminal.line(line)
  const count = report.problems.length
  terminal.line(
    `${count === 0 ? 'no problem' : count === 1 ? '1 problem' : `${count} problems`}, ${report.ok} in order`,
  )
  if (!repair && report.problems.some(each => each.repair))
    terminal.line('Nothing was changed; --repair does what is announced above, and loses nothing.')
}

/** One row an object, and below it what to know about it. */
export function tableOf(terminal: Terminal, findings: readonly Finding[], at: Date, repaired: boolean): string[] {
  if (findings.length === 0) return []
  const rows = findings.map(each => [each.verdict, each.kind, ageText(each, at), sizeText(each), each.name])
  const titles = ['VERDICT', 'KIND', 'AGE', 'SIZE', 'NAME']
  const widths = titles.map((title, n) => Math.max(title.length, ...rows.map(row => row[n]?.length ?? 0)))
  const layout = (row: readonly string[]) =>
    row
      .map((cell, n) => cell.padEnd(widths[n] ?? 0))
      .join('  ')
      .trimEnd()
  return [
    terminal.paint('bold', layout(titles)),
    ...findings.flatMap((each, n) => [layout(rows[n] ?? []), ...detailsOf(each, at, repaired)]),
  ]
}

function detailsOf(finding: Finding, at: Date, repaired: boolean): string[] {
  const { verdict, volume, name, found, remedy, repair } = finding
  if (verdict === 'ok') return []
  const texts = [
    ...(volume === undefined || name.startsWith(volume) ? [] : [`volume: ${volume}`]),
    `found:  ${found}`,
    ...(isYoung(finding, at) ? ['note:   it changed a moment ago; a call may be under way: look again'] : []),
    `remedy: ${remedy}`,
    ...(repair && !repaired ? [`--repair would ${describeRepair(repair)}`] : []),
  ]
  return texts.flatMap(text => wrap(text, WIDTH).map((line, n) => `${n === 0 ? '    ' : '            '}${line}`))
}

function ageText(finding: Finding, at: Date): string {
  const age = ageOf(finding, at)
  if (age === undefined) return '-'
  if (age < 3600_000) return formatDuration(age)
  return age < 172_800_000 ? `${Math.floor(age / 3600_000)} h` : `${Math.floor(age / 86_400_000)} d`
}

function sizeText({ size }: Finding): string {
  return size === undefined ? '-' : formatGib(size)
}
