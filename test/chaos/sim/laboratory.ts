// Runs simulations in a thread of their own: there time is virtual, and node:test does not watch every promise.
import { Worker } from 'node:worker_threads'
import type { Tasks } from './laboratory-worker.ts'

export type Task = keyof Tasks

interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

export interface Laboratory {
  ask<T extends Task>(task: T, ...args: Parameters<Tasks[T]>): Promise<Awaited<ReturnType<Tasks[T]>>>
  end(): Promise<void>
}

/** Of a test: a driver that waits for ever is a failure. */
export const PATIENCE = { timeout: 300_000 }

export function openLaboratory(): Laboratory {
  const worker = new Worker(new URL('./laboratory-worker.ts', import.meta.url))
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>()
  let last = 0
  const failAll = (error: Error): void => {
    for (const { reject } of waiting.values()) reject(error)
    waiting.clear()
  }
  worker.on('error', failAll)
  worker.on('exit', code => failAll(new Error(`the laboratory ended with ${code}`)))
  worker.on('message', ({ id, value, error }: Answer) => {
    const asked = waiting.get(id)
    waiting.delete(id)
    if (error === undefined) asked?.resolve(value)
    else asked?.reject(new Error(error))
  })
  return {
    async ask(task, ...args) {
      last += 1
      const id = last
      const answer = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }))
      worker.postMessage({ id, task, args })
      return (await answer) as never
    },
    async end() {
      await worker.terminate()
    },
  }
}
