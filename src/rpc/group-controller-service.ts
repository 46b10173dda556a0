// GroupController: one entry an RPC; translates in, calls the flow, translates out. No decisions.
import { createGroup, deleteGroup, getGroup } from '../controller/group-snapshots.ts'
import type { ControllerSite } from '../controller/site.ts'
import type { Methods } from './call.ts'
import type { GroupControllerHandlers } from './generated/csi/v1/GroupController.ts'
import { encodeGroup, parseMap, parseName, refuseForeignParameters } from './translate.ts'

/** What the pools can do, and no more. */
export function groupControllerService(site: ControllerSite): Methods<GroupControllerHandlers> {
  const canCut = [...site.pools.values()].some(({ groups }) => groups)
  const capabilities = canCut ? [{ rpc: { type: 'CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT' as const } }] : []
  return {
    GroupControllerGetCapabilities: async () => ({ capabilities }),

    async CreateVolumeGroupSnapshot(request, op) {
      const asked = 'create a group snapshot'
      refuseForeignParameters(asked, parseMap(asked, 'parameters', request.parameters), 'VolumeGroupSnapshotClass')
      const wanted = { name: parseName(asked, request.name), sources: request.source_volume_ids }
      return { group_snapshot: encodeGroup(await createGroup(site, wanted, op)) }
    },

    async DeleteVolumeGroupSnapshot(request, op) {
      await deleteGroup(site, { id: request.group_snapshot_id, snapshots: request.snapshot_ids }, op)
      return {}
    },

    async GetVolumeGroupSnapshot(request) {
      const { group_snapshot_id: id, snapshot_ids: snapshots } = request
      return { group_snapshot: encodeGroup(await getGroup(site, { id, snapshots })) }
    },
  }
}
