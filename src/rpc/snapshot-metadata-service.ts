// SnapshotMetadata: one entry an RPC; translates in, calls the flow, translates out page by page. No decisions.
import type { ControllerSite } from '../controller/site.ts'
import { allocatedBlocks, changedBlocks, type RangePage } from '../controller/snapshot-metadata.ts'
import type { Streams } from './call.ts'
import type { SnapshotMetadataHandlers } from './generated/csi/v1/SnapshotMetadata.ts'
import { encodeRangePage, parseWish } from './translate.ts'

export function snapshotMetadataService(site: ControllerSite): Streams<SnapshotMetadataHandlers> {
  return {
    GetMetadataAllocated: (request, op) =>
      encodePages(allocatedBlocks(site, request.snapshot_id, parseWish(request), op)),

    GetMetadataDelta: (request, op) => {
      const ids = { base: request.base_snapshot_id, target: request.target_snapshot_id }
      return encodePages(changedBlocks(site, ids, parseWish(request), op))
    },
  }
}

async function* encodePages(pages: AsyncIterable<RangePage>) {
  for await (const page of pages) yield encodeRangePage(page)
}
