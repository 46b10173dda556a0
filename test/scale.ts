// How much of the longest tests is run: a sample by default, all of it with ASHLAR_LONG=1 (npm run long).

export const isLong = process.env['ASHLAR_LONG'] === '1'

/** `few` in an ordinary run, `many` in the long one. */
export const rounds = <T>(few: T, many: T): T => (isLong ? many : few)
