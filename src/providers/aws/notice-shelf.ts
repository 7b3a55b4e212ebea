import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import type { Notice } from "../../model/notice.ts";
import { ensurePrivateFolder, hasErrorCode, readFileIfThere, writeFileAtomic } from "../../platform/files.ts";
import { type Placed, placed, placedId } from "./ids.ts";

/**
 * Notices that came by a queue, as files: a message is told once, and whoever lists next may be another process, which would
 * take a notice that is not told again for one that was withdrawn.
 */
export interface NoticeShelf {
  /** It is safe when this has returned. */
  put(machine: Placed, notice: Notice): Promise<void>;
  /** Of each machine, by the provider's id, the one that counts. */
  all(): Promise<ReadonlyMap<string, Notice>>;
  /** Those whose deadline was before this time, in epoch milliseconds. */
  clear(before: number): Promise<void>;
}

const FOLDER = "aws-notices";
const noticeSchema = v.object({
  machine: v.string(),
  kind: v.picklist(["reclaim", "rebalance"]),
  seenAt: v.number(),
  deadline: v.number(),
  assumed: v.optional(v.literal(true)),
});

/** Whether the first counts more: a reclaim before a mere recommendation, and what is later before what was before. */
export function countsMore(one: Notice, other: Notice | undefined): boolean {
  if (other === undefined || one.kind !== other.kind) return other?.kind !== "reclaim";
  return one.deadline > other.deadline;
}

/** One file for each notice, so that processes that write or clear at once take nothing from each other. */
export function noticeShelf(home: string): NoticeShelf {
  const folder = join(home, FOLDER);
  const names = async (): Promise<readonly string[]> => {
    try {
      return (await readdir(folder)).filter((name) => name.endsWith(".json"));
    } catch (error) {
      if (hasErrorCode(error, "ENOENT", "ENOTDIR")) return [];
      throw error;
    }
  };
  const read = async (name: string) => {
    const text = (await readFileIfThere(join(folder, name))) ?? "";
    const found = v.safeParse(v.pipe(v.string(), v.parseJson(), noticeSchema), text);
    return found.success && placed(found.output.machine, "i") !== undefined ? found.output : undefined;
  };
  return {
    async put(machine, { kind, seenAt, deadline, assumed }) {
      await ensurePrivateFolder(folder);
      const notice = { machine: placedId(machine), kind, seenAt, deadline, ...(assumed === undefined ? {} : { assumed }) };
      await writeFileAtomic(join(folder, `${machine.region}_${machine.id}_${kind}_${Math.round(deadline)}.json`), JSON.stringify(notice));
    },
    async all() {
      const found = new Map<string, Notice>();
      for (const name of await names()) {
        const kept = await read(name);
        if (kept === undefined) continue;
        const { machine, kind, seenAt, deadline, assumed } = kept;
        const notice: Notice = { kind, source: "api", seenAt, deadline, ...(assumed === undefined ? {} : { assumed }) };
        if (countsMore(notice, found.get(machine))) found.set(machine, notice);
      }
      return found;
    },
    async clear(before) {
      for (const name of await names()) {
        const kept = await read(name);
        if (kept === undefined || kept.deadline < before) await rm(join(folder, name), { force: true });
      }
    },
  };
}
