import { lstat, mkdtemp, readdir, rename, rm, rmdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { EXIT } from "../model/exit-codes.ts";
import { Problem } from "../model/problem.ts";
import { hasErrorCode } from "./files.ts";
import { emptyFolder } from "./unpack.ts";

async function kindOf(path: string | Buffer): Promise<"none" | "folder" | "other"> {
  try {
    return (await lstat(path)).isDirectory() ? "folder" : "other";
  } catch (error) {
    if (hasErrorCode(error, "ENOENT")) return "none";
    throw error;
  }
}

function inTheWay(path: string | Buffer, what: string): Problem {
  return new Problem({ code: "SPOT_E_IN_THE_WAY", message: `${path} is there already, and ${what}`, exit: EXIT.failed });
}

/** Moves all that a folder holds into another one that is there: folders are added to, files replaced one by one. */
async function merge(from: Buffer, to: Buffer): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true, encoding: "buffer" })) {
    const [source, target] = [from, to].map((folder) => Buffer.concat([folder, Buffer.from("/"), entry.name])) as [Buffer, Buffer];
    const there = await kindOf(target);
    // A link that leads to a folder is no folder: what a machine sent goes through no link.
    if (entry.isDirectory() && there === "folder") await merge(source, target);
    else if (entry.isDirectory() && there === "other") throw inTheWay(target, "no folder");
    else if (!entry.isDirectory() && there === "folder") throw inTheWay(target, "a folder");
    else await rename(source, target);
  }
}

/** Where something shall lie. `addsTo`: a folder of that name is there, perhaps on a disk of its own, and is added to. */
export interface Place {
  readonly final: string;
  readonly addsTo: boolean;
}

/** A name that nobody else takes, for what is not whole yet. */
export function stageName(): string {
  return `.spot-cp-${crypto.randomUUID()}`;
}

/** The folder in which something is made before it is moved to its place by renaming. */
export function besides({ final, addsTo }: Place): string {
  return addsTo ? final : dirname(final);
}

/**
 * Makes something beside `final` and moves it there when it is whole: `make` gets a path to make a file at, or the path of an
 * empty folder to fill. A folder that is there already is added to. A failure leaves nothing of it.
 * @throws Problem when there is something of another kind in its place.
 */
export async function placeWhole(place: Place, kind: "file" | "folder", make: (path: string) => Promise<void>): Promise<void> {
  const { final } = place;
  const stage = await mkdtemp(join(besides(place), ".spot-cp-"));
  const made = kind === "folder" ? stage : join(stage, "new");
  try {
    await make(made);
    const there = await kindOf(final);
    if (kind === "file") {
      if (there === "folder") throw inTheWay(final, "a folder");
      await rename(made, final);
    } else if (there === "folder") await merge(Buffer.from(made), Buffer.from(final));
    else if (there === "other") throw inTheWay(final, "no folder");
    else await rename(made, final);
  } finally {
    await clear(stage);
  }
}

async function clear(stage: string): Promise<void> {
  try {
    await emptyFolder(stage);
    await rmdir(stage);
  } catch (error) {
    // It has become the folder itself.
    if (!hasErrorCode(error, "ENOENT")) await rm(stage, { recursive: true, force: true });
  }
}
