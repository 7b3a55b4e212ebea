import { adminCall, type MotoAnswer } from "./moto.ts";
import type { AwsState } from "./state.ts";

/** Ends at moto what this cloud has made, so that the account can be used again; where that fails, nobody gets it. */
export async function clearAway(state: AwsState): Promise<void> {
  const { account, host } = state;
  const failed: MotoAnswer[] = [];
  const ask = async (region: string, parameters: Readonly<Record<string, string>>) => {
    const given = await adminCall(account, host, { region }, { Version: "2016-11-15", ...parameters });
    if (given.status !== 200 && !given.text.includes("NotFound")) failed.push(given);
  };
  const regions = new Set([...state.instances.values()].map(({ region }) => region));
  for (const region of regions) {
    const left = [...state.instances.values()].filter((one) => one.region === region && one.state !== "terminated");
    if (left.length === 0) continue;
    await ask(region, {
      Action: "TerminateInstances",
      ...Object.fromEntries(left.map(({ id }, index) => [`InstanceId.${index + 1}`, id])),
    });
  }
  for (const { region, id, state: word, isRoot, attachment } of state.volumes.values())
    if (word !== "deleted" && !(isRoot && attachment !== null)) await ask(region, { Action: "DeleteVolume", VolumeId: id });
  for (const { region, id } of state.snapshots.values()) await ask(region, { Action: "DeleteSnapshot", SnapshotId: id });
  for (const { region, action, parameter, value } of state.leftovers) await ask(region, { Action: action, [parameter]: value });
  if (state.queue !== null)
    await adminCall(
      account,
      host,
      { region: state.queue.region, service: "sqs" },
      {
        Action: "DeleteQueue",
        Version: "2012-11-05",
        QueueUrl: state.queue.motoUrl,
      },
    );
  if (failed.length === 0) account.free();
}
