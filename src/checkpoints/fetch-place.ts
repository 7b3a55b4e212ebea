import { mkdtemp, readdir } from "node:fs/promises";
import { join } from "node:path";
import { ensurePrivateFolder } from "../platform/files.ts";
import { isTagAlive, ownTag } from "../platform/process-identity.ts";
import { discardFolder } from "./discard.ts";

const FETCHED = /^fetch-(\d+\.[0-9a-f]{12})\.[^.]+$/;

/** A new folder below `home` for what is fetched from a rented volume. What killed processes have left of theirs is cleared. */
export async function makeFetchFolder(home: string): Promise<string> {
  await ensurePrivateFolder(home);
  for (const name of await readdir(home)) {
    const tag = FETCHED.exec(name)?.[1];
    if (tag !== undefined && !isTagAlive(tag)) await discardFolder(join(home, name));
  }
  return mkdtemp(join(home, `fetch-${ownTag()}.`));
}
