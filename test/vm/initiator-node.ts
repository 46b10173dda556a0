// Runs in a VM: a connector of the iSCSI transport that does what is asked in a shared folder, until its VM ends.
import { localHost } from '../../src/host/local.ts'
import type { Device } from '../../src/linux/device.ts'
import { createConnector } from '../../src/transports/iscsi/connector.ts'
import type { Connector } from '../../src/transports/transport.ts'
import { DriverError } from '../../src/volume/errors.ts'
import type { Op } from '../../src/volume/op.ts'
import type { Route } from '../../src/volume/types.ts'
import { recordingLogger } from '../fixtures.ts'
import { serveMailbox } from '../iscsi/mailbox.ts'
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

/** What JSON can say: sizes as text. */
function sheetOf(value: unknown): Sheet {
  const text = (_: string, each: unknown) => (typeof each === 'bigint' ? String(each) : each)
  return JSON.parse(JSON.stringify(value ?? null, text)) as Sheet
}

async function attempt(question: Question): Promise<Answer> {
  try {
    return { value: sheetOf(await answer(question)) }
  } catch (error) {
    if (!(error instanceof DriverError)) return { kind: 'bug', message: String((error as Error).stack) }
    return { kind: error.kind, message: error.message }
  }
}

await serveMailbox(folder, attempt)
