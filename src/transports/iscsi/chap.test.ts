// Tests of CHAP secrets: the same on both sides, others for everything else, and never printed.
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, it, type TestContext } from 'node:test'
import { failure, temporaryFolder } from '../../../test/fixtures.ts'
import { localFiles } from '../../host/local-files.ts'
import { deriveChap, readKeys } from './chap.ts'

const [KEY, OLD] = ['k'.repeat(40), 'o'.repeat(32)]
const subject = { target: 'iqn.2026-01.dev.ashlar:vol-p-1', initiator: 'iqn.2026-01.dev.ashlar:node.a' }

async function keysOf(t: TestContext, text: string) {
  const path = join(await temporaryFolder(t), 'key')
  await writeFile(path, text)
  return await readKeys(localFiles, path)
}

describe('CHAP secrets', () => {
  it('are the same wherever the key is, and different for another volume, node, publish and direction', async t => {
    const keys = await keysOf(t, `${KEY}\n`)
    const again = await keysOf(t, KEY)
    const [key = ''] = keys.keys()
    const route = { mode: 'mutual', nonce: 'a'.repeat(32), key } as const
    const chap = deriveChap(keys, route, subject)
    assert.equal(deriveChap(again, route, subject)?.password.reveal(), chap?.password.reveal())
    const others = [
      chap?.mutual,
      deriveChap(keys, { ...route, nonce: 'b'.repeat(32) }, subject),
      deriveChap(keys, route, { ...subject, target: `${subject.target}2` }),
      deriveChap(keys, route, { ...subject, initiator: `${subject.initiator}2` }),
    ]
    const secrets = [chap, ...others].map(each => each?.password.reveal() ?? '')
    assert.equal(new Set(secrets).size, 5)
    // Of a harmless alphabet, and none that the tools could read as hexadecimal, base64 or an option.
    assert.ok(secrets.every(each => /^k[A-Za-z0-9_-]{31}$/.test(each)))
    assert.ok(!JSON.stringify([chap, others]).includes(secrets[0] ?? ''))
    assert.equal(deriveChap(keys, { ...route, mode: 'one-way' }, subject)?.mutual, undefined)
    assert.equal(deriveChap(new Map(), { mode: 'none' }, subject), undefined)
  })

  it('of an old publish follow from an old key while that is in the file', async t => {
    const [old = ''] = (await keysOf(t, OLD)).keys()
    const route = { mode: 'one-way', nonce: 'a'.repeat(32), key: old } as const
    const before = deriveChap(await keysOf(t, OLD), route, subject)?.password.reveal()
    assert.equal(deriveChap(await keysOf(t, `${KEY}\n${OLD}\n`), route, subject)?.password.reveal(), before)
    const gone = await keysOf(t, KEY)
    assert.throws(() => deriveChap(gone, route, subject), failure('unavailable', /no key [0-9a-f]{8}/))
    assert.throws(
      () => deriveChap(gone, route, subject),
      (error: Error) => !error.message.includes(KEY) && !error.message.includes(OLD),
    )
  })

  it('need a key file with keys that cannot be guessed', async t => {
    await assert.rejects(readKeys(localFiles, '/nonexistent/key'), failure('unavailable', /missing/))
    for (const text of ['', '\n', 'short', `${KEY}\nshort\n`])
      await assert.rejects(keysOf(t, text), failure('unavailable', /CHAP keys/), JSON.stringify(text))
  })
})
