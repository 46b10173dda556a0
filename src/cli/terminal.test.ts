// What the demo prints, without a terminal and with one.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createTerminal, formatDuration, formatGib, layoutTable, wrap } from './terminal.ts'

const record = (isTTY: boolean) => {
  let written = ''
  return { isTTY, write: (text: string) => (written += text), read: () => written }
}

describe('formatDuration', () => {
  const cases: [number, string][] = [
    [0.4, '0 ms'],
    [999.4, '999 ms'],
    [999.5, '1.00 s'],
    [1234, '1.23 s'],
    [59_994, '59.99 s'],
    [59_995, '1 min 00 s'],
    [125_400, '2 min 05 s'],
  ]
  for (const [ms, text] of cases) it(`shows ${ms} ms as ${text}`, () => assert.equal(formatDuration(ms), text))
})

describe('formatGib', () => {
  it('shows whole sizes', () => assert.equal(formatGib(3n * 2n ** 30n), '3.00 GiB'))
  it('never rounds up to a size that is not there', () => assert.equal(formatGib(3n * 2n ** 30n - 1n), '2.99 GiB'))
  it('shows sizes beyond 2^53', () => assert.equal(formatGib(2n ** 60n), '1073741824.00 GiB'))
  it('pads the decimals', () => assert.equal(formatGib((2n ** 30n * 5n) / 100n + 1n), '0.05 GiB'))
})

describe('layoutTable', () => {
  it('aligns the first column to the left and the others to the right', () => {
    assert.deepEqual(
      layoutTable([
        ['step', 'xfs', 'ext4'],
        ['CreateVolume', '9 ms', '1.20 s'],
      ]),
      ['step           xfs    ext4', 'CreateVolume  9 ms  1.20 s'],
    )
  })
  it('does not count colours as width', () => {
    assert.deepEqual(
      layoutTable([
        ['a', '\x1b[32mok\x1b[0m'],
        ['b', 'fail'],
      ]),
      ['a    \x1b[32mok\x1b[0m', 'b  fail'],
    )
  })
  it('takes rows of different lengths', () => assert.deepEqual(layoutTable([['a'], ['b', 'c']]), ['a', 'b  c']))
})

describe('wrap', () => {
  it('breaks between words', () => assert.deepEqual(wrap('one two three', 8), ['one two', 'three']))
  it('lets a long word stand alone', () =>
    assert.deepEqual(wrap('a longerthanthat b', 5), ['a', 'longerthanthat', 'b']))
})

describe('createTerminal', () => {
  const show = (isTTY: boolean, env: Record<string, string>) => {
    const stream = record(isTTY)
    const terminal = createTerminal(stream, env)
    terminal.pending('busy')
    terminal.line(terminal.paint('green', 'done'))
    return stream.read()
  }
  it('writes plain lines without a terminal', () => assert.equal(show(false, {}), 'done\n'))
  it('writes colours and what is pending on a terminal', () =>
    assert.equal(show(true, {}), 'busy\r\x1b[K\x1b[32mdone\x1b[0m\n'))
  it('obeys NO_COLOR', () => assert.equal(show(true, { NO_COLOR: '1' }), 'busy\r\x1b[Kdone\n'))
  it('takes an empty NO_COLOR for none', () => assert.ok(show(true, { NO_COLOR: '' }).includes('\x1b[32m')))
  it('writes plain lines on a dumb terminal', () => assert.equal(show(true, { TERM: 'dumb' }), 'done\n'))
})
