import type { Money } from "../../model/money.ts";
import { parsed } from "../cloud-http.ts";
import { ProviderError } from "../errors.ts";
import type { CallContext, ProviderVolume } from "../provider.ts";
import type { Api } from "./api.ts";
import { deniesResource, PROVIDER } from "./codes.ts";
import { nameIn, tokenIn } from "./instances.ts";
import { deviceName, lastOf, placed, placedIn, ROLE_LABEL, ROOT_ROLE, regionOf } from "./names.ts";
import { movingList } from "./pages.ts";
import { diskAggregate, diskSchema, type WireDisk } from "./wire.ts";

const fault = (kind: "conflict" | "not-found" | "invalid-request", message: string) => new ProviderError(PROVIDER, { kind }, message);

export const diskId = (disk: Pick<WireDisk, "zone" | "name">): string => `${lastOf(disk.zone)}/${disk.name}`;

/** A disk that is being deleted is as good as gone. */
const isLeaving = ({ status }: WireDisk) => status === "DELETING";

/** What machines boot from: it goes with its machine. One that no machine has any more is shown, because it costs. */
function isRoot({ labels, users, sourceImage }: WireDisk): boolean {
  return users.length > 0 && (labels[ROLE_LABEL] === ROOT_ROLE || (sourceImage ?? "") !== "");
}

export function toVolume(disk: WireDisk, price: Money | null): ProviderVolume {
  const [user] = disk.users;
  const attachedTo = user === undefined ? null : placedIn(user);
  const token = tokenIn(disk.labels);
  const zone = lastOf(disk.zone);
  return {
    providerId: diskId(disk),
    name: nameIn(disk.labels, disk.name),
    token,
    sizeGb: disk.sizeGb,
    region: regionOf(zone),
    zone,
    rawState: disk.status,
    attachedTo,
    pricePerHour: price,
    usedBytes: null,
    localPath: null,
    // Under the name that our launch gives it; how others attached theirs, only their machine tells.
    device: attachedTo === null || token === null ? null : `/dev/disk/by-id/google-${deviceName(disk.name)}`,
  };
}

/** The disks of all zones but those that machines boot from. */
export async function listDisks(api: Api, context: CallContext): Promise<readonly WireDisk[]> {
  const rows = await movingList(api, diskAggregate, "disks", context);
  // Regional disks lie in two zones, and are none of ours.
  return rows.flatMap(([scope, disk]) => (scope.startsWith("zones/") && !isRoot(disk) && !isLeaving(disk) ? [disk] : []));
}

/** Undefined when Compute Engine itself says that there is none, or the list does. */
export async function findDisk(api: Api, providerId: string, context: CallContext): Promise<WireDisk | undefined> {
  const at = placed(providerId);
  if (at === null) return undefined;
  const answer = await api.ask(`zones/${at.zone}/disks/${at.name}`, context);
  if (answer.status >= 200 && answer.status < 300) {
    const disk = parsed(PROVIDER, diskSchema, answer);
    return isLeaving(disk) ? undefined : disk;
  }
  if (answer.status !== 404) return api.refuse(answer);
  if (deniesResource(answer, `disks/${at.name}`)) return undefined;
  return (await listDisks(api, context)).find((disk) => diskId(disk) === providerId);
}

/** A disk that was just made is ready in seconds. */
const READY_WITHIN_MS = 15_000;
const LOOK_AGAIN_MS = 500;

/** Waits until a disk can be given to a machine in `zone`. @throws ProviderError `conflict` while another machine holds it. */
export async function diskToAttach(api: Api, providerId: string, zone: string, context: CallContext): Promise<void> {
  const until = api.monotonic() + READY_WITHIN_MS;
  for (;;) {
    const disk = await findDisk(api, providerId, context);
    if (disk === undefined) throw fault("not-found", `there is no disk ${providerId}`);
    if (lastOf(disk.zone) !== zone)
      throw fault("invalid-request", `disk ${providerId} cannot be attached in ${zone}: it lies in another zone`);
    const [user] = disk.users;
    if (user !== undefined) throw fault("conflict", `disk ${providerId} belongs to machine ${placedIn(user) ?? lastOf(user)}`);
    if (disk.status === "READY") return;
    if (disk.status === "FAILED" || api.monotonic() >= until) throw fault("conflict", `disk ${providerId} is ${disk.status}`);
    await api.sleep(LOOK_AGAIN_MS, context);
  }
}
