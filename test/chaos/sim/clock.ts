// Time that passes only when nothing else happens: waits of seconds end at once, in the order of their deadlines.

interface Timer {
  readonly at: number
  readonly ring: () => void
}

/** Replaces the timers and clocks of this process; the answer brings the real ones back. */
export function useVirtualTime(): () => void {
  const { setTimeout, clearTimeout } = globalThis
  const realNow = Date.now
  const start = realNow()
  const timers = new Map<number, Timer>()
  let now = 0
  let last = 0
  let isPumping = false
  const pump = (): void => {
    const [next] = [...timers].sort(([, a], [, b]) => a.at - b.at)
    isPumping = false
    if (!next) return
    timers.delete(next[0])
    now = Math.max(now, next[1].at)
    keepPumping()
    next[1].ring()
  }
  const keepPumping = (): void => {
    if (isPumping || timers.size === 0) return
    isPumping = true
    setImmediate(pump)
  }
  const set = (call: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) => {
    last += 1
    timers.set(last, { at: now + ms, ring: () => call(...args) })
    keepPumping()
    return { id: last, unref: () => undefined, ref: () => undefined }
  }
  const clear = (timer: unknown): void => {
    if (typeof timer === 'object' && timer !== null && 'id' in timer) timers.delete(Number(timer.id))
  }
  Object.assign(globalThis, { setTimeout: set, clearTimeout: clear })
  Object.assign(Date, { now: () => start + now })
  Object.defineProperty(performance, 'now', { value: () => now, configurable: true, writable: true })
  return () => {
    Object.assign(globalThis, { setTimeout, clearTimeout })
    Object.assign(Date, { now: realNow })
    Reflect.deleteProperty(performance, 'now') // the real one is inherited
  }
}
