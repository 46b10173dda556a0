// Tests of conditions: abnormal means that there is something to say, and all of it is said once.
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { conditionOf } from './condition.ts'

it('a condition is abnormal exactly when there are troubles, and tells each of them once', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 })), troubles => {
      const { abnormal, message } = conditionOf(troubles)
      assert.equal(abnormal, troubles.length > 0)
      assert.notEqual(message, '')
      if (abnormal) assert.equal(message, [...new Set(troubles)].join('; '))
    }),
  )
  assert.deepEqual(conditionOf(['a', 'b', 'a']), { abnormal: true, message: 'a; b' })
})

it('a remark makes no condition abnormal, and is told beside whatever is', () => {
  assert.deepEqual(conditionOf([], ['r', 'r']), { abnormal: false, message: 'the volume is in order; r' })
  assert.deepEqual(conditionOf(['a'], ['r']), { abnormal: true, message: 'a; r' })
})
