// The condition of a volume as CSI tells it: fine, or what is wrong with it.

export interface Condition {
  readonly abnormal: boolean
  readonly message: string
}

/** The troubles in words, each once. */
export function conditionOf(troubles: readonly string[]): Condition {
  if (troubles.length === 0) return { abnormal: false, message: 'the volume is in order' }
  return { abnormal: true, message: [...new Set(troubles)].join('; ') }
}
