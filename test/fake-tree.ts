// What a configfs in memory consists of: folders that the kernel gives meaning to, attributes and links.

export interface Attribute {
  readonly kind: 'attribute'
  readonly read: () => string
  readonly write?: (text: string) => void
}

export interface Link {
  readonly kind: 'link'
  readonly to: Folder
  readonly destination: string
  readonly onRemove: () => void
}

export interface Folder {
  readonly kind: 'folder'
  readonly entries: Map<string, Entry>
  /** Made by mkdir: only such a folder can be removed. */
  readonly isMade: boolean
  /** How many links lead here. */
  links: number
  /** What mkdir of this name makes; absent where the kernel allows none. */
  readonly make?: (name: string) => Folder
  readonly link?: (to: Folder) => () => void
  readonly onRemove?: () => void
}

export type Entry = Attribute | Link | Folder

export function refuse(code: string, path: string): never {
  throw Object.assign(new Error(`${code}: refused, '${path}'`), { code })
}

export const folder = (rest: Partial<Omit<Folder, 'kind' | 'links'>> = {}): Folder => ({
  kind: 'folder',
  entries: new Map(),
  isMade: false,
  links: 0,
  ...rest,
})
export const show = (read: () => string): Attribute => ({ kind: 'attribute', read })

/** Attributes that keep what is written, one value of these. */
export function settings(values: Map<string, string>, allowed = /^-?\d+$/): Folder {
  const entries = new Map<string, Entry>()
  for (const name of values.keys()) {
    const write = (text: string) => {
      const value = text.trim()
      if (!allowed.test(value)) refuse('EINVAL', name)
      values.set(name, value)
    }
    entries.set(name, { kind: 'attribute', read: () => `${values.get(name)}\n`, write })
  }
  return folder({ entries })
}
