// From a capacity range to one size in bytes: rounding, defaults and overflow in one place.
import type { FsType } from './capability.ts'
import { SizeOutOfRange } from './errors.ts'
import type { Bytes } from './types.ts'

export const KIB = 1024n
export const MIB = 1024n * KIB
export const GIB = 1024n * MIB

/** Below these mkfs refuses (xfsprogs: 300 MiB), or leaves out the journal (e2fsprogs: a few MiB). */
export const SMALLEST_FILESYSTEM: Readonly<Record<FsType, Bytes>> = { ext4: 16n * MIB, xfs: 300n * MIB }

/** Both in bytes; 0 means "not set", as in protobuf. */
export interface CapacityRange {
  readonly required: Bytes
  readonly limit: Bytes
}

export interface SizeRules {
  readonly minimum: Bytes
  readonly fallback: Bytes
  readonly granularity: Bytes
}

/** The largest file that Linux can address (loff_t), rounded down to a block. */
const LARGEST = 2n ** 63n - 4096n

/** The smallest size that satisfies both the range and the rules. Throws SizeOutOfRange if there is none. */
export function chooseSize(asked: string, range: CapacityRange | undefined, rules: SizeRules): Bytes {
  const { required, limit } = range ?? { required: 0n, limit: 0n }
  const wanted = required > 0n ? required : limit > 0n && limit < rules.fallback ? limit : rules.fallback
  const floor = wanted < rules.minimum ? rules.minimum : wanted
  // A limit alone is filled downwards, a requirement upwards.
  const whole = required > 0n || limit === 0n ? roundUp(floor, rules.granularity) : roundDown(floor, rules.granularity)
  const size = whole < rules.minimum ? roundUp(rules.minimum, rules.granularity) : whole
  if ((limit > 0n && size > limit) || size < rules.minimum) {
    throw new SizeOutOfRange({
      asked,
      found: `no size fits: at least ${rules.minimum} bytes, in multiples of ${rules.granularity}, at most limit_bytes ${limit}`,
      next: 'raise limit_bytes or lower required_bytes',
    })
  }
  if (size > LARGEST) {
    throw new SizeOutOfRange({ asked, found: `${size} bytes exceed the largest file`, next: 'ask for less' })
  }
  return size
}

/** Does an existing size answer the range? */
export function satisfies(size: Bytes, range: CapacityRange | undefined): boolean {
  return !range || (size >= range.required && (range.limit === 0n || size <= range.limit))
}

export function roundUp(value: Bytes, step: Bytes): Bytes {
  return ((value + step - 1n) / step) * step
}

export function roundDown(value: Bytes, step: Bytes): Bytes {
  return (value / step) * step
}
