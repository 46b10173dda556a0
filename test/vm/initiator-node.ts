// Runs in a VM: a connector of the iSCSI transport that does what is asked in a shared folder, until it is asked to end.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { localHost } from '../../src/host/local.ts'
import type { Device } from '../../src/linux/device.ts'
import { createConnector } from '../../src/transports/iscsi/connector.ts'
import type { Connector } from '../../src/transports/transport.ts'
import { DriverError } from '../../src/volume/errors.ts'
import type { Op } from '../../src/volume/op.ts'
import type { Route } from '../../src/volume/types.ts'
import { recordingLogger } from '../fixtures.ts'
import type { Answer, Question, Sheet } from './initiator-talk.ts'

const [folder = '', settings = '{}', name = ''] = process.argv.slice(2)
const lines: string[] = []
const op: Op = { log: recordingLogger(lines), signal: new AbortController().signal }
const connectors = new Map<string, Connector>()

/** The node's settings, or others for one question. */
function connectorFor(rest: object = {}): Connector {
  const key = JSON.stringify(rest)
  const found =
    connectors.get(key) ?? createConnector(localHost(), { ...JSON.parse(settings), ...rest }, name, '/run/ashlar-locks')
  connectors.set(key, found)
  return found
}

async function answer({ verb, id, route, device, settings: rest }: Question): Promise<unknown> {
  const connector = connectorFor(rest)
  const known = device && ({ ...device, size: BigInt(device.size) } satisfies Device)
  if (verb === 'connect') return await connector.connect(id, route as Route, op)
  if (verb === 'find') return (await connector.find(id, op)) ?? null
  if (verb === 'disconnect') return await connector.disconnect(id, op)
  if (verb === 'list') return await connector.list()
  if (verb === 'log') return lines.splice(0)
  if (!known) throw new Error(`${verb} takes a device`)
  if (verb === 'verify') return await connector.verify(id, known, op)
  if (verb === 'identify') return (await connector.identify(known)) ?? null
  if (verb === 'troublesOf') return await connector.troublesOf(known)
  return await connector.rescan(known, op)
}

async function attempt(question: Question): Promise<Answer> {
  try {
    return { value: (await answer(question)) as Sheet }
  } catch (error) {
    if (!(error instanceof DriverError)) return { kind: 'bug', message: String((error as Error).stack) }
    return { kind: error.kind, message: error.message }
  }
}

function reply(path: string, given: Answer): void {
  const text = JSON.stringify(given, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
  writeFileSync(`${path}.tmp`, text)
  renameSync(`${path}.tmp`, path)
}

const busy = new Set<Promise<void>>()
for (let next = 1; ; ) {
  const path = join(folder, `ask-${next}.json`)
  if (!existsSync(path)) {
    await sleep(30)
    continue
  }
  const question = JSON.parse(readFileSync(path, 'utf8')) as Question
  if (question.verb === 'end') break
  const to = join(folder, `answer-${next}.json`)
  const work: Promise<void> = attempt(question)
    .then(given => reply(to, given))
    .finally(() => busy.delete(work))
  busy.add(work)
  next += 1
}
await Promise.all(busy)
