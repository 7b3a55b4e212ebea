import type { Parameters } from "./parameters.ts";
import { Refusal } from "./refusal.ts";

const MOST = 20;

/** The tags of a request. @throws Refusal for what this cloud does not keep: more than 20, a key twice, reserved or too long. */
export function checkedTags(given: readonly Parameters[]): Map<string, string> {
  const tags = new Map<string, string>();
  for (const one of given) {
    const key = one.text("Key");
    const value = one.text("Value") ?? "";
    if (key === undefined || key.length > 128 || /^(aliyun|acs:)/.test(key) || /https?:\/\//.test(key))
      throw new Refusal(400, "InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid.");
    if (value.length > 128 || /^acs:/.test(value) || /https?:\/\//.test(value))
      throw new Refusal(400, "InvalidTagValue.Malformed", "The specified Tag.n.Value is not valid.");
    if (tags.has(key)) throw new Refusal(400, "Duplicate.TagKey", "The specified Tag.n.Key is given twice.");
    tags.set(key, value);
  }
  if (tags.size > MOST) throw new Refusal(400, "InvalidTagCount.Exceed", "More than 20 tags.");
  return tags;
}

/** Whether something that carries `tags` is asked for: every key, with its value where one is given. */
export function hasTags(tags: ReadonlyMap<string, string>, asked: readonly Parameters[]): boolean {
  return asked.every((one) => {
    const key = one.text("Key");
    const value = one.text("Value");
    return key === undefined || (tags.has(key) && (value === undefined || tags.get(key) === value));
  });
}

export function tagsJson(tags: ReadonlyMap<string, string>): unknown {
  return { Tag: [...tags].map(([TagKey, TagValue]) => ({ TagKey, TagValue })) };
}
