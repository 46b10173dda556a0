// Takes one safety check after the other out of a copy of the sources, and expects a test to fail each time.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mutant } from './mutant.ts'
import { MUTANTS } from './mutants.ts'

const root = join(import.meta.dirname, '../..')
const USAGE = 'usage: node hack/mutants/run.ts [PATTERN]   PATTERN: a regular expression on what is taken out'

/** All that tests read; a copy, so that the sources are never broken. */
const COPIED = [
  'src',
  'test',
  'hack',
  'charts',
  'proto',
  'scripts',
  'docs',
  'package.json',
  'tsconfig.json',
  'ARCHITECTURE.md',
]

function copyTree(): string {
  const copy = mkdtempSync(join(tmpdir(), 'ashlar-mutant-'))
  for (const name of COPIED) cpSync(join(root, name), join(copy, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  return copy
}

/** Throws unless the text is there exactly once: a mutant that changes nothing would prove nothing. */
function mutate(copy: string, { file, replace: [before, after] }: Mutant): void {
  const path = join(copy, file)
  const text = readFileSync(path, 'utf8')
  if (text.split(before).length !== 2) throw new Error(`${file} does not hold this once: ${before}`)
  writeFileSync(
    path,
    text.replace(before, () => after),
  )
}

type Verdict = { caught: true; by: string } | { caught: false; because: string }

function judge(copy: string, { layer, files, only }: Mutant): Verdict {
  const args = ['test/run.ts', layer, '--files', files, ...(only === undefined ? [] : ['--only', only])]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, { cwd: copy, encoding: 'utf8' })
  // Not of `run`, which says that no test was found.
  const failed = /^FAIL (?!run:)\S+: (.*)$/m.exec(stdout)?.[1]
  if (status === 1 && failed !== undefined) return { caught: true, by: failed }
  return { caught: false, because: (stdout + stderr).trim().split('\n').at(-1) ?? 'no output' }
}

function tryOut(mutant: Mutant): Verdict {
  const copy = copyTree()
  try {
    mutate(copy, mutant)
    return judge(copy, mutant)
  } finally {
    rmSync(copy, { recursive: true })
  }
}

const [pattern = '', ...more] = process.argv.slice(2)
if (more.length > 0 || pattern.startsWith('-')) {
  process.stderr.write(`${USAGE}\n`)
  process.exit(2)
}
const chosen = MUTANTS.filter(({ without }) => new RegExp(pattern).test(without))
let escaped = 0
for (const mutant of chosen) {
  const verdict = tryOut(mutant)
  if (!verdict.caught) escaped += 1
  const result = verdict.caught ? `caught by: ${verdict.by}` : `ESCAPED (${verdict.because})`
  process.stdout.write(`without ${mutant.without}\n    ${mutant.file}: ${result}\n`)
}
process.stdout.write(`${chosen.length} mutants, ${chosen.length - escaped} caught, ${escaped} escaped\n`)
process.exitCode = escaped === 0 && chosen.length > 0 ? 0 : 1
