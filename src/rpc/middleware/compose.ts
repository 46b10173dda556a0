// Puts middleware around a handler: the first one listed is the outermost.
import type { Middleware, Next } from '../call.ts'

export function compose(middleware: readonly Middleware[], handler: Next): Next {
  return middleware.reduceRight<Next>((next, each) => call => each(call, next), handler)
}
