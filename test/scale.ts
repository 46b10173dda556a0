// How much of the longest tests is run: a sample by default, all of it with ASHLAR_LONG=1 (npm run long).

export const isLong = process.env['ASHLAR_LONG'] === '1'

/** `few` in an ordinary run, `many` in the long one. */
export const rounds = <T>(few: T, many: T): T => (isLong ? many : few)

/** Of the long run, when a part of it is asked for: ASHLAR_ROUNDS says how many times, where a round takes minutes. */
export const turns = (few: number, many: number): number => {
  if (!isLong) return few
  const asked = Number(process.env['ASHLAR_ROUNDS'] ?? many)
  // Of no rounds at all everything is true.
  if (!Number.isInteger(asked) || asked < 1) throw new Error(`ASHLAR_ROUNDS is ${asked}: a number from 1 on`)
  return Math.min(many, asked)
}
