import {
  CreateSnapshotCommand,
  DeleteSnapshotCommand,
  DescribeSnapshotsCommand,
  type DescribeSnapshotsCommandInput,
  type Snapshot,
} from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext, ProviderSnapshot, SnapshotOperations } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { placed, placedId } from "./ids.ts";
import { everyPage, present } from "./pages.ts";
import type { Regions } from "./regions.ts";
import { nameIn, tagsOf, tokenIn } from "./tags.ts";

const PER_PAGE = 1_000;
const LOOK_AGAIN_AFTER_MS = 1_000;

/** Only a completed one can be restored from; what is in the recycle bin, or being fetched from the archive, is none yet. */
function stateOf(state: string | undefined): ProviderSnapshot["state"] {
  if (state === "completed") return "ready";
  return state === "error" ? "failed" : "pending";
}

function toSnapshot(api: Api, region: string, snapshot: Pick<Snapshot, keyof Snapshot>): ProviderSnapshot {
  const { SnapshotId = "", VolumeId, VolumeSize, State, Tags, StartTime } = snapshot;
  return {
    providerId: placedId({ region, id: SnapshotId }),
    name: nameIn(Tags),
    token: tokenIn(Tags),
    // A copy names a volume that never was: vol-ffffffff.
    volumeId: VolumeId === undefined || VolumeId === "" || /^vol-f+$/.test(VolumeId) ? null : placedId({ region, id: VolumeId }),
    sizeGb: VolumeSize ?? 0,
    region,
    state: stateOf(State),
    rawState: State ?? "",
    createdAt: api.ours(StartTime),
  };
}

function described(api: Api, region: string, input: DescribeSnapshotsCommandInput, context: CallContext): Promise<readonly Snapshot[]> {
  return everyPage(
    "snapshots",
    (token) => api.ask(region, context, (ec2, options) => ec2.send(new DescribeSnapshotsCommand({ ...input, ...token }), options)),
    (page) => page.Snapshots,
  );
}

/** There is no client token for these: one whose answer was lost is found by its tag. */
export function snapshotsOf(api: Api, regions: Regions): SnapshotOperations {
  return {
    async create(volumeId, { name, token }, context) {
      const volume = placed(volumeId, "vol");
      if (volume === undefined) throw new ProviderError(PROVIDER, { kind: "not-found" }, `there is no volume ${volumeId}`);
      const command = new CreateSnapshotCommand({
        VolumeId: volume.id,
        Description: `${name} (spot-fleet)`,
        TagSpecifications: [{ ResourceType: "snapshot", Tags: tagsOf({ name, token }) }],
      });
      const made = await api.ask(volume.region, context, (ec2, options) => ec2.send(command, options));
      present("the snapshot that was made", made.SnapshotId);
      return { ...toSnapshot(api, volume.region, made), name: nameIn(made.Tags) || name, token };
    },
    async list(context) {
      const input = { OwnerIds: ["self"], MaxResults: PER_PAGE };
      const found = await regions.each(context, async (region) =>
        (await described(api, region, input, context)).map((snapshot) => toSnapshot(api, region, snapshot)),
      );
      return [...new Map(found.flat().map((snapshot) => [snapshot.providerId, snapshot])).values()];
    },
    async remove(snapshotId, context) {
      const snapshot = placed(snapshotId, "snap");
      if (snapshot === undefined) return;
      const deleteIt = async (): Promise<boolean> => {
        const command = new DeleteSnapshotCommand({ SnapshotId: snapshot.id });
        try {
          await api.ask(snapshot.region, context, (ec2, options) => ec2.send(command, options));
          return true;
        } catch (error) {
          if (isFault(error, "not-found")) return false;
          throw error;
        }
      };
      if (await deleteIt()) return;
      // One that was made a moment ago may be denied once.
      await api.sleep(LOOK_AGAIN_AFTER_MS, context);
      if (await deleteIt()) return;
      const Filters = [{ Name: "snapshot-id", Values: [snapshot.id] }];
      const still = await described(api, snapshot.region, { OwnerIds: ["self"], Filters }, context);
      if (!still.some(({ SnapshotId }) => SnapshotId === snapshot.id)) return;
      throw new ProviderError(PROVIDER, { kind: "unavailable" }, `snapshot ${snapshotId} was denied and is there`);
    },
  };
}
