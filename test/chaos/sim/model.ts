// What an orchestrator may be told: a volume's state as far as it can be known, and the answers that each call may have.

/** The states of one volume that answers depend on. */
export interface State {
  readonly exists: boolean
  readonly size: number
  readonly isClaimed: boolean
  /** A device shows it. */
  readonly isAttached: boolean
  /** Of a filesystem: mounted at the staging path. */
  readonly isMounted: boolean
  /** The journal has it as staged. */
  readonly isNoted: boolean
  readonly isFormatted: boolean
  /** Target paths, by number, and whether read-only. */
  readonly targets: Readonly<Record<number, boolean>>
  /** What the last publish context says; undefined when there was none. */
  readonly context: { readonly blank: boolean; readonly size: number } | undefined
}

export const UNBORN: State = {
  exists: false,
  size: 0,
  isClaimed: false,
  isAttached: false,
  isMounted: false,
  isNoted: false,
  isFormatted: false,
  targets: {},
  context: undefined,
}

/** Sizes are counted in steps of growth. */
export type Call =
  | { readonly rpc: 'create' | 'delete' | 'claim' | 'release' | 'stage' | 'unstage' | 'get' }
  | { readonly rpc: 'publish'; readonly target: number; readonly readonly: boolean }
  | { readonly rpc: 'unpublish' | 'stats'; readonly target: number }
  | { readonly rpc: 'expand' | 'expand on the node'; readonly size: number }

export interface Outcome {
  /** OK, or the kind of a planned failure. */
  readonly answer: string
  readonly next: State
}

/** What must happen when nothing else does at the same time. */
export function foresee(state: State, call: Call, access: 'mount' | 'block'): Outcome {
  const ok = (change: Partial<State> = {}): Outcome => ({ answer: 'OK', next: { ...state, ...change } })
  const no = (answer: string, change: Partial<State> = {}): Outcome => ({ answer, next: { ...state, ...change } })
  const isPublished = Object.keys(state.targets).length > 0
  switch (call.rpc) {
    case 'create':
      return state.exists ? ok() : ok({ exists: true, size: 0, isFormatted: false })
    case 'get':
      return state.exists ? ok() : no('not-found')
    case 'delete':
      if (!state.exists) return ok()
      return state.isClaimed || state.isAttached
        ? no('failed-precondition')
        : ok({ exists: false, size: 0, isFormatted: false })
    case 'claim':
      if (!state.exists) return no('not-found')
      return ok({ isClaimed: true, isAttached: true, context: { blank: !state.isFormatted, size: state.size } })
    case 'release':
      if (!state.exists || !state.isClaimed) return ok()
      return state.isMounted || isPublished ? no('failed-precondition') : ok({ isClaimed: false, isAttached: false })
    case 'expand':
      return state.exists ? ok({ size: Math.max(state.size, call.size) }) : no('not-found')
    case 'expand on the node':
      if (!state.isAttached) return no('not-found')
      if (call.size > state.size) return no('out-of-range')
      return access === 'mount' && !state.isMounted ? no('not-found') : ok()
    case 'stats':
      return state.isAttached && call.target in state.targets ? ok() : no('not-found')
    case 'unpublish':
      return ok({ targets: without(state.targets, call.target) })
    case 'unstage':
      return isPublished ? no('failed-precondition') : ok({ isAttached: false, isMounted: false, isNoted: false })
    case 'stage':
      return stage(state, access)
    case 'publish': {
      const isReady = state.isAttached && (access === 'mount' ? state.isMounted : state.isNoted)
      if (!isReady) return no('failed-precondition')
      const have = state.targets[call.target]
      if (have !== undefined) return have === call.readonly ? ok() : no('already-exists')
      return ok({ targets: { ...state.targets, [call.target]: call.readonly } })
    }
  }
}

function stage(state: State, access: 'mount' | 'block'): Outcome {
  if (!state.context) return { answer: 'invalid-argument', next: state }
  if (!state.exists) return { answer: 'not-found', next: { ...state, isNoted: false } }
  // Of an earlier volume of this name.
  if (state.context.size > state.size) return { answer: 'failed-precondition', next: { ...state, isNoted: false } }
  const done = { ...state, isAttached: true, isNoted: true }
  if (access === 'block' || state.isMounted) return { answer: 'OK', next: done }
  if (state.isFormatted || state.context.blank)
    return { answer: 'OK', next: { ...done, isMounted: true, isFormatted: true } }
  return { answer: 'failed-precondition', next: { ...state, isNoted: false } }
}

function without(targets: State['targets'], target: number): State['targets'] {
  return Object.fromEntries(Object.entries(targets).filter(([each]) => Number(each) !== target))
}

/** Nothing is attached or mounted any more; what stands on disks remains. */
export function afterReboot(state: State): State {
  return { ...state, isAttached: false, isMounted: false, targets: {} }
}

/**
 * After a death in the middle of a call: as before it, or as after it, or something between them that the next driver
 * was free to settle in either way. What an idle volume's device and note are is known only from the next answers.
 */
export function afterDeath(before: State, call: Call, access: 'mount' | 'block'): State[] {
  const { answer, next } = foresee(before, call, access)
  const ends = answer === 'OK' ? [before, next] : [before]
  const choices = ends.flatMap(end => {
    const isBusy = end.isMounted || Object.keys(end.targets).length > 0
    if (isBusy) return [end]
    const formats = new Set([before.isFormatted, next.isFormatted])
    return [true, false].flatMap(isAttached =>
      [true, false].flatMap(isNoted => [...formats].map(isFormatted => ({ ...end, isAttached, isNoted, isFormatted }))),
    )
  })
  return distinct(choices)
}

export function distinct(states: readonly State[]): State[] {
  return [...new Map(states.map(state => [JSON.stringify(state), state])).values()]
}
