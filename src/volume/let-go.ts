// What is held together is let go together: each is called, whatever becomes of the others.

/** Ends a hold. Throws when it had not been in force until now. */
export type LetGo = () => Promise<void>

/** Throws the first failure, when all have ended. */
export async function letGoOfAll(held: readonly LetGo[]): Promise<void> {
  const ends = await Promise.allSettled(held.map(each => each()))
  const failure = ends.find(each => each.status === 'rejected')
  if (failure) throw failure.reason
}
