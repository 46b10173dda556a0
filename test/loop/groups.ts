// Group snapshots as an orchestrator asks for them, and what there must be of one.
import assert from 'node:assert/strict'
import { again, type Bench } from './harness.ts'
import type { SnapshotMessage } from './snapshots.ts'
import type { TestVolume } from './volume.ts'

export interface GroupMessage {
  group_snapshot_id: string
  snapshots: (SnapshotMessage & { group_snapshot_id: string })[]
  creation_time: { seconds: string; nanos: number }
  ready_to_use: boolean
}

export interface Grouper {
  /** One call, and whatever it is answered. */
  ask(name: string, sources: readonly TestVolume[]): Promise<GroupMessage>
  /** Repeated while the answer says so; deleted after the test. */
  cut(name: string, sources: readonly TestVolume[]): Promise<GroupMessage>
  get(id: string, snapshots: readonly string[]): Promise<GroupMessage>
  remove(group: GroupMessage): Promise<void>
}

export const idsOf = ({ snapshots }: GroupMessage): string[] => snapshots.map(each => each.snapshot_id)

export const grouperOf = ({ driver, defer }: Bench): Grouper => {
  const call = async (method: string, request: object) =>
    (await driver.call<{ group_snapshot: GroupMessage }>('GroupController', method, request)).group_snapshot
  const ask: Grouper['ask'] = (name, sources) =>
    call('CreateVolumeGroupSnapshot', { name, source_volume_ids: sources.map(({ id }) => id) })
  const remove: Grouper['remove'] = async group => {
    const request = { group_snapshot_id: group.group_snapshot_id, snapshot_ids: idsOf(group) }
    await driver.call('GroupController', 'DeleteVolumeGroupSnapshot', request)
  }
  return {
    ask,
    remove,
    async cut(name, sources) {
      const group = await again(() => ask(name, sources))
      defer(() => remove(group))
      assert.equal(group.ready_to_use, true)
      for (const each of group.snapshots) assert.equal(each.group_snapshot_id, group.group_snapshot_id)
      return group
    },
    get: (id, snapshots) => call('GetVolumeGroupSnapshot', { group_snapshot_id: id, snapshot_ids: snapshots }),
  }
}
