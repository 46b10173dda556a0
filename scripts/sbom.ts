// Makes what `npm sbom` prints the same for the same sources: its time is SOURCE_DATE_EPOCH, its name follows from its content.
import { createHash } from 'node:crypto'
import { text } from 'node:stream/consumers'

const document = JSON.parse(await text(process.stdin)) as Record<string, unknown> & {
  creationInfo: Record<string, unknown>
}
const created = new Date(Number(process.env['SOURCE_DATE_EPOCH'] ?? 0) * 1000).toISOString().replace('.000Z', 'Z')
document.creationInfo = { ...document.creationInfo, created }
document['documentNamespace'] = ''
const digest = createHash('sha256').update(JSON.stringify(document)).digest('hex')
document['documentNamespace'] = `https://spdx.org/spdxdocs/ashlar-csi-${digest.slice(0, 32)}`
process.stdout.write(`${JSON.stringify(document, undefined, 1)}\n`)
