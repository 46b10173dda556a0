// What the demo prints: progress lines, numbers with units, and a table; plain text unless a terminal reads it.
import { stripVTControlCharacters } from 'node:util'
import type { Bytes } from '../volume/types.ts'

export type Colour = 'red' | 'green' | 'yellow' | 'bold' | 'dim'

/** SGR parameters: ECMA-48, 8.3.117. */
const SGR: Readonly<Record<Colour, number>> = { red: 31, green: 32, yellow: 33, bold: 1, dim: 2 }

export interface Terminal {
  paint(colour: Colour, text: string): string
  line(text?: string): void
  /** Shown on a terminal only, and gone with the next line: what is going on right now. */
  pending(text: string): void
}

/** Colours follow https://no-color.org: none with a non-empty NO_COLOR, none where no terminal is. */
export function createTerminal(
  stream: { write(text: string): unknown; readonly isTTY?: boolean },
  env: Readonly<Record<string, string | undefined>>,
): Terminal {
  const live = stream.isTTY === true && env['TERM'] !== 'dumb'
  const coloured = live && (env['NO_COLOR'] ?? '') === ''
  let dirty = false
  const clear = () => {
    if (dirty) stream.write('\r\x1b[K')
    dirty = false
  }
  return {
    paint: (colour, text) => (coloured ? `\x1b[${SGR[colour]}m${text}\x1b[0m` : text),
    line(text = '') {
      clear()
      stream.write(`${text}\n`)
    },
    pending(text) {
      if (!live) return
      clear()
      stream.write(text)
      dirty = true
    },
  }
}

export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`
  if (ms < 59_995) return `${(ms / 1000).toFixed(2)} s`
  const seconds = Math.round(ms / 1000)
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`
}

/** With two decimals, cut off rather than rounded up: 3 GiB less one byte is not 3.00 GiB. */
export function formatGib(bytes: Bytes): string {
  const hundredths = (bytes * 100n) / 2n ** 30n
  return `${hundredths / 100n}.${String(hundredths % 100n).padStart(2, '0')} GiB`
}

/** Columns two spaces apart, the first one to the left, the others to the right. Cells may be coloured. */
export function layoutTable(rows: readonly (readonly string[])[]): string[] {
  const width = (cell: string) => stripVTControlCharacters(cell).length
  const widths = rows.reduce<number[]>((widest, row) => {
    row.forEach((cell, column) => {
      widest[column] = Math.max(widest[column] ?? 0, width(cell))
    })
    return widest
  }, [])
  return rows.map(row =>
    row
      .map((cell, column) => {
        const space = ' '.repeat((widths[column] ?? 0) - width(cell))
        return column === 0 ? cell + space : space + cell
      })
      .join('  ')
      .trimEnd(),
  )
}

/** Breaks text between words; a longer word stands alone. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
