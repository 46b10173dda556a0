// Tests of files behind ssh: what the tools print is read as what the kernel said.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { sshFiles } from './ssh-files.ts'

const answering = (code: number, stdout: string, stderr = '') =>
  sshFiles(async () => ({ code, stdout, stderr }), 'there')

it('names are those behind the escapes of ls', async () => {
  const printed = 'z\n-rf\na\\ b\\nc\\\\\\t\n\\303\\244\n'
  assert.deepEqual(await answering(0, printed).list('/x'), ['-rf', 'a b\nc\\\t', 'z', 'ä'])
  assert.deepEqual(await answering(0, '').list('/x'), [])
})

it('complaints are errors with their number, whatever names stand in them', async () => {
  const fails = (stderr: string) => answering(1, '', stderr).createSparse('/x', 1n)
  for (const [stderr, code] of [
    ["dd: failed to open '/x: File exists': No space left on device\n", 'ENOSPC'],
    ["dd: error writing '/x': Input/output error\n", 'EIO'],
    ["dd: failed to open '/x': No such device or address\n", 'ENXIO'],
    ["mv: cannot overwrite directory '/x' with non-directory\n", 'EISDIR'],
    ["mv: cannot overwrite non-directory '/x' with directory '/y'\n", 'ENOTDIR'],
    ['something else\n', 'UNKNOWN'],
  ] as const)
    await assert.rejects(fails(stderr), { code, message: /\/x on there/ })
})

it('absent is what is not there, and nothing else', async () => {
  const reads = (stderr: string) => answering(1, '', stderr).read('/x')
  assert.equal(await reads('cat: /x: No such file or directory\n'), undefined)
  assert.equal(await reads('cat: /x: Not a directory\n'), undefined)
  await assert.rejects(reads('cat: /x: Permission denied\n'), { code: 'EACCES' })
  await assert.rejects(reads(''), { code: 'UNKNOWN' })
})

it('facts are read with any device number and size', async () => {
  const facts = await answering(0, '81a4 9223372036854775807 8 512 42 66304 2 1700000000.123\n').facts('/x')
  const modified = new Date(1_700_000_000_123)
  const rest = { allocated: 4096n, inode: 42n, device: '259:0', links: 2, modified }
  assert.deepEqual(facts, { kind: 'file', size: 9_223_372_036_854_775_807n, ...rest })
  const kinds = ['41ed', '61b0', 'a1ff', '21b6'].map(mode => answering(0, `${mode} 0 0 512 1 1 1 0.000\n`).facts('/x'))
  assert.deepEqual(
    (await Promise.all(kinds)).map(each => each?.kind),
    ['directory', 'block', 'other', 'other'],
  )
})

it('only what changes nothing may go on after its caller', async () => {
  const questions: string[] = []
  let name = ''
  const files = sshFiles(async (_script, _args, { isQuestion = false } = {}) => {
    if (isQuestion) questions.push(name)
    return { code: 0, stdout: '0 0 0 0 0 0 0 0', stderr: '' }
  }, 'there')
  const calls = {
    read: () => files.read('/x'),
    list: () => files.list('/x'),
    facts: () => files.facts('/x'),
    space: () => files.space('/x'),
    createExclusive: () => files.createExclusive('/x', ''),
    replace: () => files.replace('/x', ''),
    write: () => files.write('/x', ''),
    link: () => files.link('/x', '/y'),
    readLink: () => files.readLink('/x'),
    createSparse: () => files.createSparse('/x', 1n),
    makeDirectory: () => files.makeDirectory('/x'),
    rename: () => files.rename('/x', '/y'),
    removeFile: () => files.removeFile('/x'),
    removeDirectory: () => files.removeDirectory('/x'),
  } satisfies Record<keyof typeof files, () => Promise<unknown>>
  for (const [each, call] of Object.entries(calls)) {
    name = each
    await call()
  }
  assert.deepEqual(questions, ['read', 'list', 'facts', 'space', 'readLink'])
})
