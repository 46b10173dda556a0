// A target in memory, for tests of what stands on targets: it shows what it was told, and can be broken or rebooted.
import type { ExportDocument, Shown, Target } from '../src/transports/iscsi/target.ts'
import { Unavailable } from '../src/volume/errors.ts'

export interface FakeTarget extends Target {
  readonly documents: Map<string, ExportDocument>
  /** Each call, as "apply iqn..". */
  readonly calls: string[]
  /** As after a reboot: nothing is exported any more. */
  forget(): void
  /** From now on every call fails. */
  die(): void
}

export function fakeTarget(growsOnline = true): FakeTarget {
  const documents = new Map<string, ExportDocument>()
  const calls: string[] = []
  let isDead = false
  const note = (call: string) => {
    if (isDead) throw new Unavailable({ asked: call, found: 'the target is dead', next: 'revive it' })
    calls.push(call)
  }
  const show = (document: ExportDocument): Shown => ({
    target: document.target,
    serial: document.serial,
    backing: document.backing.path,
    size: document.backing.size,
    enabled: true,
    initiators: document.rights.map(({ initiator, readonly }) => ({ name: initiator, readonly, sessions: 0 })),
  })
  return {
    documents,
    calls,
    chooseLun: others => 1 + Math.max(2_000_000_000, ...others),
    growsOnline,
    forget: () => documents.clear(),
    die() {
      isDead = true
    },
    async apply(document) {
      note(`apply ${document.target}`)
      documents.set(document.target, document)
    },
    async revoke(target, initiator) {
      note(`revoke ${target} ${initiator}`)
      const document = documents.get(target)
      if (!document) return
      const rights = document.rights.filter(each => each.initiator !== initiator)
      documents.set(target, { ...document, rights })
    },
    async remove(target) {
      note(`remove ${target}`)
      documents.delete(target)
    },
    async grow(target, backing) {
      note(`grow ${target} ${backing.size}`)
      const document = documents.get(target)
      if (document) documents.set(target, { ...document, backing })
    },
    async find(target) {
      note('find')
      const document = documents.get(target)
      return document && show(document)
    },
    async list() {
      note('list')
      return [...documents.values()].map(show)
    },
  }
}
