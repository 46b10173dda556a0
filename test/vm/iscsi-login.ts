// The two halves of an iSCSI login, sent by hand: RFC 7143 section 11.12.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { isCode } from '../../src/host/local-files.ts'

/** Stages of a login, as CSG and NSG count them. */
const [SECURITY, OPERATIONAL, FULL_FEATURE] = [0, 1, 3]

export interface HalfLogin {
  /** Sends the second half; is there a session now? */
  finish(): Promise<boolean>
}

/** Sends the first half of a login without authentication, and waits until the target has accepted it. */
export async function beginLogin(port: number, initiator: string, target: string): Promise<HalfLogin> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.on('error', () => undefined) // the target may close it at any time
  const names = [`InitiatorName=${initiator}`, `TargetName=${target}`, 'SessionType=Normal', 'AuthMethod=None']
  socket.write(loginRequest(SECURITY, OPERATIONAL, names))
  const status = await answer(socket)
  if (status !== 0)
    throw new Error(`the first half of the login: ${status === undefined ? 'hung up' : `status ${status}`}`)
  return {
    async finish() {
      if (socket.destroyed) return false
      socket.write(loginRequest(OPERATIONAL, FULL_FEATURE, ['HeaderDigest=None']))
      const accepted = (await answer(socket)) === 0
      socket.destroy()
      return accepted
    },
  }
}

function loginRequest(from: number, to: number, keys: readonly string[]): Buffer {
  const text = Buffer.from(keys.map(key => `${key}\0`).join(''))
  const header = Buffer.alloc(48)
  header[0] = 0x43 // login request, immediate
  header[1] = 0x80 | (from << 2) | to
  header.writeUIntBE(text.length, 5, 3)
  header[8] = 0x80 // random ISID
  header.writeUInt32BE(7, 9)
  header.writeUInt32BE(1, 16)
  header.writeUInt32BE(1, 24)
  return Buffer.concat([header, text, Buffer.alloc(-text.length & 3)])
}

/** The status class of a login response: 0 is success; undefined when the connection is closed instead. */
async function answer(socket: Socket): Promise<number | undefined> {
  let bytes = Buffer.alloc(0)
  try {
    for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length >= 48 && bytes.length >= 48 + bytes.readUIntBE(5, 3)) return bytes[36]
    }
  } catch (error) {
    if (!isCode(error, 'ECONNRESET') && !isCode(error, 'EPIPE')) throw error
  }
  return undefined
}
