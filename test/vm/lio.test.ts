// The target of a real kernel: LIO, driven through configfs, with open-iscsi on the same guest.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { programLine } from '../programs.ts'
import { withGuest } from './guest.ts'

/** There is no udev to load what a login needs, and no systemd to start iscsid. */
const PREPARE = `ip link set lo up && modprobe --all iscsi_tcp sd_mod && mkdir -p /run/lock/iscsi &&
echo InitiatorName=iqn.2026-01.dev.ashlar:guest >/etc/iscsi/initiatorname.iscsi && iscsid`

test('exports of the target lio', async context => {
  await withGuest(
    async guest => {
      const { code, stdout, stderr } = await guest.run(`${PREPARE} && ${programLine('lio-life')}`, { timeout: 3000 })
      for (const line of stdout.trim().split('\n')) context.diagnostic(line)
      assert.equal(code, 0, `${stdout}${stderr}`)
    },
    { programs: ['test/vm/lio-life.ts'] },
  )
})
