// The condition of a volume as CSI tells it: fine, or what is wrong with it.

export interface Condition {
  readonly abnormal: boolean
  readonly message: string
}

/** The troubles in words, each once; and behind them what is worth knowing, but no harm to the data. */
export function conditionOf(troubles: readonly string[], remarks: readonly string[] = []): Condition {
  const abnormal = troubles.length > 0
  const found = abnormal ? troubles : ['the volume is in order']
  return { abnormal, message: [...new Set([...found, ...remarks])].join('; ') }
}
