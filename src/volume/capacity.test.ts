// Tests of capacity: every size that is chosen satisfies what was asked, also beyond 2^53.
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { failure, GIB, MIB } from '../../test/fixtures.ts'
import { chooseSize, satisfies } from './capacity.ts'
import { SizeOutOfRange } from './errors.ts'

const LARGEST = 2n ** 63n - 1n
const rules = { minimum: MIB, fallback: GIB, granularity: MIB }
const range = fc.record({ required: fc.bigInt(0n, LARGEST), limit: fc.bigInt(0n, LARGEST) })
const anyRules = fc
  .record({
    minimum: fc.bigInt(1n, 4n * GIB),
    fallback: fc.bigInt(1n, 4n * GIB),
    shift: fc.integer({ min: 9, max: 30 }),
  })
  .map(({ minimum, fallback, shift }) => ({ minimum, fallback, granularity: 1n << BigInt(shift) }))

describe('a chosen size', () => {
  it('is in the range, a multiple, above the minimum; or there is none and it says so', () => {
    fc.assert(
      fc.property(range, anyRules, (asked, given) => {
        let size: bigint
        try {
          size = chooseSize('test', asked, given)
        } catch (error) {
          assert.ok(error instanceof SizeOutOfRange)
          const up = (value: bigint) => ((value + given.granularity - 1n) / given.granularity) * given.granularity
          const least = up(asked.required > given.minimum ? asked.required : given.minimum)
          // Refused only where no multiple fits at all.
          assert.ok(least > LARGEST - 4095n || (asked.limit > 0n && least > asked.limit), `${least} would have done`)
          return
        }
        assert.equal(size % given.granularity, 0n)
        assert.ok(size >= asked.required)
        assert.ok(size >= given.minimum)
        assert.ok(asked.limit === 0n || size <= asked.limit)
        assert.ok(satisfies(size, asked))
        if (asked.required > given.minimum) assert.ok(size - asked.required < given.granularity, 'not more than needed')
      }),
    )
  })

  it('loses no byte above 2^53', () => {
    const required = 2n ** 53n + 1n
    assert.equal(chooseSize('t', { required, limit: 0n }, { ...rules, granularity: 1n }), required)
    assert.equal(chooseSize('t', { required: 2n ** 62n + 1n, limit: 0n }, rules), 2n ** 62n + MIB)
  })

  it('is the fallback, cut down by a limit', () => {
    assert.equal(chooseSize('t', undefined, rules), GIB)
    assert.equal(chooseSize('t', { required: 0n, limit: 2n * GIB }, rules), GIB)
    assert.equal(chooseSize('t', { required: 0n, limit: 5n * MIB + 1n }, rules), 5n * MIB)
  })

  it('does not exist above the largest file, below the minimum, or between two multiples', () => {
    assert.throws(
      () => chooseSize('t', { required: LARGEST, limit: 0n }, rules),
      failure('out-of-range', /largest file/),
    )
    assert.throws(() => chooseSize('t', { required: 0n, limit: 1n }, rules), failure('out-of-range', /limit_bytes 1;/))
    assert.throws(() => chooseSize('t', { required: MIB + 1n, limit: MIB + 2n }, rules), failure('out-of-range'))
    assert.equal(chooseSize('t', { required: 0n, limit: 512n }, { minimum: 1n, fallback: 1n, granularity: 512n }), 512n)
    const exact = { minimum: 5n, fallback: 9n, granularity: 1n }
    assert.equal(chooseSize('t', { required: 0n, limit: 5n }, exact), 5n)
    assert.throws(() => chooseSize('t', { required: 0n, limit: 4n }, exact), failure('out-of-range'))
  })
})

it('an existing size satisfies a range at both of its ends', () => {
  assert.equal(satisfies(MIB, undefined), true)
  assert.equal(satisfies(MIB, { required: MIB, limit: MIB }), true)
  assert.equal(satisfies(MIB, { required: MIB + 1n, limit: 0n }), false)
  assert.equal(satisfies(MIB, { required: 0n, limit: MIB - 1n }), false)
})
