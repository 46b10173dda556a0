// What a mutant is: a safety check that is taken out, and the test that must notice.

export interface Mutant {
  /** What is taken out, for people. */
  readonly without: string
  readonly file: string
  /** What stands there once, and what takes its place. */
  readonly replace: readonly [before: string, after: string]
  readonly layer: string
  /** Regular expression on the paths of the tests that are run. */
  readonly files: string
  /** Regular expression on their names. */
  readonly only?: string
}

/** A check whose loss the unit test beside its file, or the test at another path, must notice. */
export const check = (
  file: string,
  without: string,
  before: string,
  after: string,
  test = file.replace(/\.ts$/, '.test.ts'),
) =>
  ({
    without,
    file,
    replace: [before, after],
    layer: test.startsWith('test/loop/') ? 'loop' : 'unit',
    files: `${test}$`,
  }) as const
