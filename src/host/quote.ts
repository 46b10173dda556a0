// Words for a POSIX shell: whatever is in them, each arrives as one word.

/** Throws RangeError for what no argument of a program can hold. */
export function quote(word: string): string {
  if (word.includes('\0')) throw new RangeError('an argument of a program cannot hold a NUL')
  return `'${word.replaceAll("'", "'\\''")}'`
}

/** A command line that runs exactly these words. */
export function commandLine(words: readonly string[]): string {
  return words.map(quote).join(' ')
}
