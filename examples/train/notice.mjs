import { readFileSync } from "node:fs";

/**
 * The reclaim notice that `spot`'s agent writes into SPOT_NOTICE_FILE, or undefined while there is none.
 * The file appears whole (by rename) and goes away again when the cloud withdraws the notice.
 * A file that cannot be understood still counts as a notice: the deadline is unknown, the warning is not.
 */
export function readNotice(file) {
  if (file === undefined || file === "") return undefined;
  let text;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  try {
    const { deadline } = JSON.parse(text);
    return { deadline: typeof deadline === "number" ? deadline : undefined };
  } catch {
    return { deadline: undefined };
  }
}

/** Seconds until the machine goes; Infinity when the notice does not say. */
export function secondsLeft(notice) {
  return notice.deadline === undefined ? Number.POSITIVE_INFINITY : notice.deadline - Date.now() / 1000;
}
