// Tests of what is read of a far shell: an answer counts whole or not at all.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { failure } from '../../test/fixtures.ts'
import { readResult } from './ssh-lines.ts'

const TOKEN = '0123456789abcdef'.repeat(2)
const read = (stdout: string, stderr: string) => readResult({ code: 0, stdout, stderr }, TOKEN, 'x')

it('an answer is what stands between the token and the exit code', () => {
  const stderr = `warning\n\n${TOKEN} 3\n`
  assert.deepEqual(read(`${TOKEN}\nout\n`, stderr), { code: 3, stdout: 'out\n', stderr: 'warning\n' })
  assert.deepEqual(read(`${TOKEN}\n`, `\n${TOKEN} 255\n`), { code: 255, stdout: '', stderr: '' })
})

it('an answer that broke off is none', () => {
  for (const stderr of ['', 'Connection closed', `\n${TOKEN} `, `\n${TOKEN} 3`, `\n${TOKEN} 3\nmore`])
    assert.equal(read(`${TOKEN}\nout`, stderr), undefined)
  assert.equal(read('', `\n${TOKEN} 0\n`), undefined)
})

it('a login shell that prints is told of', () => {
  assert.throws(() => read(`Welcome!\n${TOKEN}\nout\n`, `\n${TOKEN} 0\n`), failure('unavailable', /Welcome!/))
})
