// A neutral description of a proto file: what two descriptions must agree on, and the list of what they do not.

/** Facts of one message, enum or service: fact path (for example `secrets number`) to its value as text. */
export type Facts = Map<string, string>

/** All elements of a proto file, keyed by kind and full name, for example `message csi.v1.Volume`. */
export type Schema = Map<string, Facts>

/** Option names (without brackets) and values as one comparable text; no options and empty options are the same. */
export function formatOptions(options: Record<string, unknown> | null | undefined): string {
  const entries = Object.entries(options ?? {}).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return entries.length === 0 ? 'none' : entries.sort().join(', ')
}

/** One line per fact that is missing, superfluous or different; empty when both sides agree. */
export function compareFacts(element: string, official: Facts | undefined, ours: Facts | undefined): string[] {
  if (official === undefined) return [`${element}: not in the official descriptor`]
  if (ours === undefined) return [`${element}: missing in proto/csi.proto`]
  const paths = [...new Set([...official.keys(), ...ours.keys()])].sort()
  return paths
    .filter(path => official.get(path) !== ours.get(path))
    .map(path => `${element}: ${path}: official ${official.get(path) ?? 'absent'}, ours ${ours.get(path) ?? 'absent'}`)
}
