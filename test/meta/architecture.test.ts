// The house rules that a machine can check: who imports whom, who owns what, and how files look.
import assert from 'node:assert/strict'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it, test } from 'node:test'

const ROOT = join(import.meta.dirname, '..', '..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const find = (pattern: string): string[] => globSync(pattern, { cwd: ROOT }).sort()

const ALL = find('src/**/*.ts').filter(path => !path.includes('/generated/'))
/** Unit tests may look anywhere. */
const SOURCES = ALL.filter(path => !path.endsWith('.test.ts'))

/** Comments go, as this code base writes them: whole lines, blocks, and behind code after a space. */
const withoutComments = (text: string): string =>
  text.replaceAll(/^\s*\/\*[\s\S]*?\*\//gm, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1')
const CODE = new Map(SOURCES.map(path => [path, withoutComments(read(path))]))
const pathsWith = (pattern: RegExp): string[] =>
  [...CODE].filter(([, text]) => pattern.test(text)).map(([path]) => path)

interface Import {
  readonly from: string
  /** A path in the repository, or the name of a package. */
  readonly to: string
}
const importsOf = (path: string, text: string): Import[] =>
  [...text.matchAll(/(?:^(?:import|export)\s[^'"]*?from\s*|^import\s*|\bimport\()'([^']+)'/gm)].map(
    ([, target = '']) => ({
      from: path,
      to: target.startsWith('.') ? join(path, '..', target) : target.replace(/^((?:@[^/]+\/)?[^/]+).*$/, '$1'),
    }),
  )
const IMPORTS = [...CODE].flatMap(([path, text]) => importsOf(path, text))
const OWN = IMPORTS.filter(({ to }) => to.startsWith('src/') || to.startsWith('test/') || to.startsWith('.'))
const PACKAGES = IMPORTS.filter(each => !OWN.includes(each) && !each.to.startsWith('node:'))
const folderOf = (path: string): string => path.split('/')[1] ?? ''

/** The table of ARCHITECTURE.md: folder, what it may import, packages that only it imports. */
const TABLE = new Map(
  read('ARCHITECTURE.md')
    .split('| Folder | may import | sole owner of |\n')[1]
    ?.split('\n\n')[0]
    ?.split('\n')
    .slice(1)
    .map(row => {
      const [, folder = '', may = '', owns = ''] = row.split('|').map(cell => cell.trim())
      const list = (cell: string) => (cell === '-' ? [] : cell.split(',').map(each => each.trim().replaceAll('`', '')))
      return [folder, { may: list(may), owns: list(owns) }] as const
    }),
)

/** Where the table’s neighbour is too wide: these folders take these files only. */
const NARROWED: Readonly<Record<string, readonly string[]>> = {
  'controller -> pools': ['src/pools/pool.ts'],
  'controller -> transports': ['src/transports/transport.ts'],
  'node -> transports': ['src/transports/transport.ts'],
  'doctor -> pools': ['src/pools/pool.ts'],
  'doctor -> transports': ['src/transports/transport.ts'],
  'cli -> pools': ['src/pools/pool.ts'],
  'cli -> rpc': ['src/rpc/client.ts'],
}

/** Where the owner is a file and not a folder. */
const OWNING_FILE: Readonly<Record<string, string>> = {
  execa: 'src/host/local.ts',
  'p-retry': 'src/linux/wait.ts',
  'p-limit': 'src/rpc/middleware/limit.ts',
  pino: 'src/app/logger.ts',
  ajv: 'src/schema/',
  '@grpc/grpc-js': 'src/rpc/',
  '@grpc/proto-loader': 'src/rpc/',
}

describe('imports', () => {
  it('are found: every file but the innermost has some', () => {
    assert.ok(TABLE.size >= 10, 'no table in ARCHITECTURE.md')
    assert.ok(OWN.length > 200 && PACKAGES.length > 10, `${OWN.length} and ${PACKAGES.length}`)
    const inner = `import a from 'x'\nexport {\n  b,\n} from './c.ts'\nimport 'd'\nawait import('@e/f/g')\n`
    assert.deepEqual(
      importsOf('src/q/r.ts', inner).map(({ to }) => to),
      ['x', 'src/q/c.ts', 'd', '@e/f'],
    )
  })

  it('name files that exist', () => {
    const there = new Set([...ALL, ...find('src/*/generated/**/*.{ts,js}'), ...find('src/**/*.json')])
    assert.deepEqual(
      OWN.filter(({ to }) => !there.has(to)),
      [],
    )
  })

  it('keep to the table of ARCHITECTURE.md, which names every folder', () => {
    assert.deepEqual([...TABLE.keys()].sort(), [...new Set(ALL.map(folderOf))].sort())
    const wrong = OWN.filter(({ from, to }) => {
      const [here, there] = [folderOf(from), folderOf(to)]
      const may = TABLE.get(here)?.may ?? []
      return here !== there && !may.includes(there) && !may.includes('everything')
    })
    assert.deepEqual(wrong, [])
  })

  it('from pools, transports and rpc take what is meant for them only', () => {
    const wrong = OWN.filter(({ from, to }) => {
      const files = NARROWED[`${folderOf(from)} -> ${folderOf(to)}`]
      return files !== undefined && !files.includes(to)
    })
    assert.deepEqual(wrong, [])
  })

  it('never run in a circle between folders', () => {
    const edges = new Map([...TABLE].map(([folder, { may }]) => [folder, may.filter(each => each !== 'everything')]))
    const reaches = (from: string, to: string, seen = new Set<string>()): boolean =>
      (edges.get(from) ?? []).some(each => each === to || (!seen.has(each) && reaches(each, to, seen.add(each))))
    assert.deepEqual(
      [...edges.keys()].filter(folder => reaches(folder, folder)),
      [],
    )
  })

  it('of a package stand with its one owner, and every dependency has one', () => {
    const dependencies = Object.keys((JSON.parse(read('package.json')) as { dependencies: object }).dependencies).sort()
    const owners = [...TABLE].flatMap(([folder, { owns }]) => owns.map(name => [name, folder] as const))
    assert.deepEqual(owners.map(([name]) => name).sort(), dependencies)
    assert.deepEqual(Object.keys(OWNING_FILE).sort(), dependencies)
    for (const [name, folder] of owners) assert.equal(folderOf(OWNING_FILE[name] ?? ''), folder)
    assert.deepEqual(
      PACKAGES.filter(({ from, to }) => !from.startsWith(OWNING_FILE[to] ?? 'nowhere')),
      [],
    )
    assert.deepEqual(
      [...new Set(PACKAGES.map(({ to }) => to))].sort(),
      dependencies,
      'a dependency that nobody imports',
    )
  })
})

describe('names with one owner', () => {
  it('mkfs is run by one file', () => {
    assert.deepEqual(pathsWith(/['"`]mkfs/), ['src/linux/format.ts'])
  })

  it('gRPC status codes are made in one file', () => {
    assert.deepEqual(pathsWith(/\bstatus\.[A-Z]/), ['src/rpc/status.ts'])
    assert.deepEqual(pathsWith(/\bcode: \d/), [])
  })

  it('secrets are revealed by the host alone', () => {
    assert.deepEqual(pathsWith(/\.reveal\(\)/), ['src/host/local-files.ts', 'src/host/local.ts'])
  })

  it('processes are started by execa’s owner, and the driver by its demo', () => {
    assert.deepEqual(pathsWith(/child_process/), ['src/cli/demo-driver.ts'])
  })

  it('each program is run by one file of src/linux', () => {
    // Of the general tools of coreutils each file uses what it needs; they have no exit codes to give a meaning to.
    const general = new Set(['dd', 'stat'])
    // The demo only asks whether what it needs is there.
    const asking = new Set(['src/cli/demo-requirements.ts'])
    const users = new Map<string, Set<string>>()
    for (const [path, text] of CODE) {
      for (const [, name = ''] of text.matchAll(
        /(?:\bfile: |\[|\brun\()['`]((?:mkfs|mkdir|rmdir|unlink|chown|chmod|losetup)\b|(?<=file: ['`])[\w.-]+)/g,
      ))
        if (!asking.has(path)) users.set(name, (users.get(name) ?? new Set()).add(path))
    }
    assert.ok(users.size > 15, [...users.keys()].join())
    const wrong = [...users].filter(
      ([name, paths]) =>
        (paths.size > 1 && !general.has(name)) || ![...paths].every(path => path.startsWith('src/linux/')),
    )
    assert.deepEqual(wrong, [])
  })
})

describe('files', () => {
  it('have at most 300 lines', () => {
    assert.deepEqual(
      ALL.filter(path => read(path).trimEnd().split('\n').length > 300),
      [],
    )
  })

  it('begin with a sentence that says what they are for', () => {
    const first = (path: string) =>
      read(path)
        .replace(/^#!.*\n/, '')
        .split('\n', 1)[0] ?? ''
    assert.deepEqual(
      ALL.filter(path => !/^\/\/ \S.*[.!?]$/.test(first(path))),
      [],
    )
  })

  it('have kebab-case names that say more than "utils"', () => {
    const files = [...ALL, ...find('{test,scripts,hack}/**/*.ts')].map(path => basename(path))
    const good = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.ts$/
    assert.deepEqual(
      files.filter(name => !good.test(name) || /(^|-)(utils?|helpers?|common|managers?)\b/.test(name)),
      [],
    )
  })

  it('export by name, and delete nothing recursively', () => {
    assert.deepEqual(pathsWith(/^export default/m), [])
    assert.deepEqual(
      pathsWith(/\brm(Sync)?\(|\bimport\b[^'"]*\brm(Sync)?\b|['"]rm['"]|--recursive|\brmdir(Sync)?\([^)]*recursive/),
      [],
    )
  })
})

test('dependencies are pinned to one version each, and the lock names no registry', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<string, Record<string, string>>
  const all = Object.entries({ ...dependencies, ...devDependencies })
  assert.ok(all.length > 10)
  assert.deepEqual(
    all.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version)),
    [],
  )
  const lock = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { version?: string; resolved?: string }>
  }
  assert.deepEqual(
    Object.entries(lock.packages).filter(([, each]) => each.resolved !== undefined),
    [],
  )
  for (const [name, version] of all) assert.equal(lock.packages[`node_modules/${name}`]?.version, version, name)
})
