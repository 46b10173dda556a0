// Numbers that are a function of their names: a run is repeated by its seed, whatever the order in which it asks.
import { createHash } from 'node:crypto'

export interface Dice {
  /** At least 0, less than 1. */
  fraction(): number
  /** From low to high, both included. */
  between(low: number, high: number): number
  chance(probability: number): boolean
  pick<const T>(choices: readonly [T, ...T[]]): T
}

/** The same names give the same sequence of throws. */
export const diceOf = (...names: readonly (string | number)[]): Dice => {
  let throws = 0
  const fraction = (): number => {
    throws += 1
    const hash = createHash('sha256')
      .update(JSON.stringify([...names, throws]))
      .digest()
    return hash.readUIntBE(0, 6) / 2 ** 48
  }
  return {
    fraction,
    between: (low, high) => low + Math.floor(fraction() * (high - low + 1)),
    chance: probability => fraction() < probability,
    pick: choices => choices[Math.floor(fraction() * choices.length)] ?? choices[0],
  }
}

/** A seed from the command line or the environment, or a new one. */
export const seedOf = (text = process.env['ASHLAR_TEST_SEED']): number =>
  text === undefined ? Math.floor(Math.random() * 1_000_000_000) : Number(text)
