import type { FakeAnswer } from "../fake-server.ts";
import type { MotoAnswer } from "./moto.ts";
import { indices, listOf } from "./query.ts";
import { answer, fromMoto, Refusal } from "./refusal.ts";
import { type AwsState, type Call, tagsOfItem } from "./state.ts";
import { type Element, parseXml, put, textAt } from "./xml.ts";

/** What was made here and has to go again, so that the account can be used by the next. */
function keepInMind(state: AwsState, { region, action, parameters }: Call, given: MotoAnswer): void {
  if (given.status !== 200 || parameters.get("DryRun") === "true") return;
  if (action === "CreateSecurityGroup")
    state.leftovers.push({ region, action: "DeleteSecurityGroup", parameter: "GroupId", value: textAt(parseXml(given.text), "groupId") });
  if (action !== "ImportKeyPair" && action !== "CreateKeyPair") return;
  const name = parameters.get("KeyName") ?? "";
  state.leftovers.push({ region, action: "DeleteKeyPair", parameter: "KeyName", value: name });
  state.keys.set(`${region} ${name}`, [
    Buffer.from(parameters.get("PublicKeyMaterial") ?? "", "base64")
      .toString("utf8")
      .trim(),
  ]);
}

/** What moto does well enough alone: names, groups, keys and networks have no time and no money in them. */
export async function passOn(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { passed } = call.state;
  // Nothing of this changes by itself: what was asked before is answered as before, until something is changed.
  const key = `${call.region} ${call.parameters}`;
  const before = passed.get(key);
  if (before !== undefined) return fromMoto(before);
  const given = await forward();
  if (!call.action.startsWith("Describe")) passed.clear();
  else if (given.status === 200) passed.set(key, given);
  keepInMind(call.state, call, given);
  return fromMoto(given);
}

function itemNamed(state: AwsState, id: string): Element | undefined {
  return state.instances.get(id)?.item ?? state.volumes.get(id)?.item ?? state.snapshots.get(id)?.item ?? undefined;
}

/** Spot requests are the proxy's own, and so are their tags; those of everything else are moto's, and shown from its items. */
export async function changeTags(call: Call, forward: () => Promise<MotoAnswer>): Promise<FakeAnswer> {
  const { state, parameters, action } = call;
  const ids = listOf(parameters, "ResourceId");
  const given = indices(parameters, "Tag").map((at) => ({
    key: parameters.get(`Tag.${at}.Key`) ?? "",
    value: parameters.get(`Tag.${at}.Value`) ?? "",
  }));
  if (ids.length === 0 || given.length === 0) throw new Refusal(400, "MissingParameter", "The request must contain resources and tags");
  state.passed.clear();
  const requests = ids.flatMap((id) => state.spotRequests.get(id) ?? []);
  if (requests.length > 0 && requests.length < ids.length) throw new Error("spot requests are tagged by themselves here");
  const passed = requests.length > 0 ? answer(action, { return: true }) : fromMoto(await forward());
  if (passed.status !== 200) return passed;
  const changed = (tags: ReturnType<typeof tagsOfItem>) => {
    const kept = tags.filter(({ key }) => !given.some((tag) => tag.key === key));
    return action === "CreateTags" ? [...kept, ...given] : kept;
  };
  for (const request of requests) request.tags = changed(request.tags);
  for (const id of ids) {
    const item = itemNamed(state, id);
    if (item !== undefined)
      put(
        item,
        "tagSet",
        changed(tagsOfItem(item)).map(({ key, value }) => ({ key, value })),
      );
  }
  return passed;
}
