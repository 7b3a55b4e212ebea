import { createReadStream, createWriteStream } from "node:fs";
import { chmod, stat } from "node:fs/promises";
import { basename, dirname, join, posix, resolve } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Command } from "commander";
import { reachOf } from "../fleet/reach.ts";
import {
  type Content,
  type FarPlace,
  type Found,
  farPlace,
  lookInside,
  missingSource,
  PACK_HERE,
  readInside,
  type Sent,
  writeInside,
} from "../guest/machine-files.ts";
import { endedProblem, type VerbOptions } from "../guest/run-verb.ts";
import { sshAccess } from "../guest/ssh-access.ts";
import { EXIT } from "../model/exit-codes.ts";
import { Problem, usageProblem } from "../model/problem.ts";
import { hasErrorCode } from "../platform/files.ts";
import { placeWhole } from "../platform/place-files.ts";
import { startStreamed } from "../platform/streamed-program.ts";
import { unpackTar } from "../platform/unpack.ts";
import type { World } from "../platform/world.ts";
import type { CommandContext, CommandModule, CommandResult } from "./command.ts";
import { namedInstance, openFleet } from "./fleet-context.ts";

export const cp: CommandModule = {
  configure(command: Command) {
    command
      .argument("<source>", "a file or folder here, or NAME:path")
      .argument("<target>", "NAME:path, or a place here")
      .option("-r, --recursive", "folders are always copied with all that is in them; accepted for the habit's sake")
      .addHelpText(
        "after",
        "\nA relative path in an instance is meant from the workload's folder. As with cp -r, what is copied into a folder that is\nthere keeps its name in it; FOLDER/. stands for what is in the folder. A file appears under its name only when it is whole.\nA file here whose name has a colon is written ./name.",
      );
  },
  async run(context: CommandContext): Promise<CommandResult> {
    const [source = "", target = ""] = context.args;
    const [from, to] = [sideOf(source), sideOf(target)];
    const { signal } = context.world;
    const options = { signal, ssh: sshAccess(context.world) };
    if (from.name !== null && to.name === null) {
      const far = await openFar(context, from.name, from.path, options);
      await copyOut(context.world, far, from.path, to.path, options);
    } else if (from.name === null && to.name !== null) {
      const far = await openFar(context, to.name, to.path, options);
      await copyIn(context.world, from.path, far, to.path, options);
    } else
      throw usageProblem(
        from.name === null ? "neither side is in an instance" : "both sides are in instances",
        from.name === null ? "the side in an instance is written NAME:path" : "copy out of the one first, and then into the other",
        ["spot cp --help"],
      );
    return {};
  },
};

interface Side {
  /** Null for a place here. */
  readonly name: string | null;
  readonly path: string;
}

/** As scp has it: a colon before any slash makes it an instance's. */
function sideOf(text: string): Side {
  const match = /^([^:/]+):(.*)$/s.exec(text);
  if (text === "") throw usageProblem("a path cannot be empty");
  return match === null ? { name: null, path: text } : { name: match[1] ?? "", path: match[2] ?? "" };
}

interface Far extends FarPlace {
  readonly name: string;
}

async function openFar(context: CommandContext, name: string, path: string, options: VerbOptions): Promise<Far> {
  if (path.includes("\0")) throw usageProblem("a path cannot hold a NUL character");
  const record = await namedInstance(context, name);
  const reach = await reachOf(await openFleet(context), record, options.signal);
  context.progress.step(`copying ${path === "" ? name : `${name}:${path}`}`);
  const folder = reach.kind === "process" ? (record.spec.workdir ?? reach.cwd) : "";
  return { name, ...(await farPlace(reach, path, folder, options)) };
}

/** Whether what lies in a folder is meant, and not the folder: `.`, `..` and all that ends like them. */
function meansContents(path: string): boolean {
  return path === "" || /(?:^|\/)\.{1,2}\/*$/.test(path) || /^\/+$/.test(path);
}

/** Where something goes: into a folder that is there, under its own name, or else to just that place. */
function finalPlace(target: string, there: Found["kind"], source: string, kind: "file" | "folder"): string {
  const plain = target.replace(/(?!^)\/+(?:\.\/*)*$/, "");
  if (there === "folder") return meansContents(source) ? plain : posix.join(plain, posix.basename(source));
  if (there === "other") throw problem(`${target} is neither a file nor a folder`);
  if (target.endsWith("/") && kind === "file") throw problem(`there is no folder ${target}`);
  return plain;
}

function problem(message: string): Problem {
  return new Problem({ code: "SPOT_E_COPY", message, exit: EXIT.failed });
}

async function lookHere(path: string): Promise<{ readonly kind: Found["kind"]; readonly size: number; readonly mode: number }> {
  try {
    const found = await stat(path);
    const kind = found.isDirectory() ? "folder" : found.isFile() ? "file" : "other";
    return { kind, size: found.size, mode: found.mode & 0o777 };
  } catch (error) {
    if (hasErrorCode(error, "ENOENT", "ENOTDIR")) return { kind: "none", size: 0, mode: 0 };
    throw error;
  }
}

async function copyIn(world: World, typed: string, far: Far, typedTarget: string, options: VerbOptions): Promise<void> {
  const source = resolve(world.cwd, typed);
  const found = await lookHere(source);
  if (found.kind === "none") throw missingSource(typed);
  if (found.kind === "other" || (found.kind === "file" && typed.endsWith("/"))) throw problem(`${typed} is neither a file nor a folder`);
  const { kind } = found;
  const there = await lookInside(far.reach, far.path, options);
  const path = typedTarget.endsWith("/") && !far.path.endsWith("/") ? `${far.path}/` : far.path;
  const final = finalPlace(path, there.kind, meansContents(typed) ? typed : source, kind);
  const place = { final, addsTo: there.kind === "folder" && meansContents(typed) };
  const sent: Sent = kind === "file" ? { kind, size: found.size, mode: found.mode } : { kind };
  const open = () => (kind === "file" ? fileContent(source, found.size) : folderContent(world, source));
  await writeInside(far.reach, place, sent, open, options);
}

/** So many bytes of a file, whatever is appended to it meanwhile. */
function fileContent(path: string, size: number): Content {
  // With nothing to read, `end` cannot say so.
  const stream = size === 0 ? createReadStream("/dev/null") : createReadStream(path, { end: size - 1 });
  return { stream, sent: Promise.resolve() };
}

function folderContent({ env, signal }: World, path: string): Content {
  // COPYFILE_DISABLE: macOS' tar would add files of its own.
  const program = startStreamed(["/bin/sh", "-c", PACK_HERE], { cwd: path, env: { ...env, COPYFILE_DISABLE: "1" }, signal });
  program.stdin.end();
  const sent = program.done.then((ended) => {
    if (ended.code !== 0) throw endedProblem(ended);
  });
  sent.catch(() => {});
  return { stream: program.stdout, sent };
}

async function copyOut(world: World, far: Far, typed: string, typedTarget: string, options: VerbOptions): Promise<void> {
  const found = await lookInside(far.reach, far.path, options);
  if (found.kind === "none") throw missingSource(`${far.name}:${typed}`);
  if (found.kind === "other" || (found.kind === "file" && typed.endsWith("/")))
    throw problem(`${far.name}:${typed} is neither a file nor a folder`);
  const { kind } = found;
  const target = resolve(world.cwd, typedTarget);
  const there = (await lookHere(target)).kind;
  const final = finalPlace(typedTarget.endsWith("/") ? `${target}/` : target, there, contentsOr(typed, far.path), kind);
  const place = { final, addsTo: there === "folder" && meansContents(typed) };
  if ((await lookHere(dirname(final))).kind !== "folder") throw problem(`there is no folder ${dirname(final)}`);
  await placeWhole(place, kind, (path) =>
    found.kind === "file"
      ? readInside(far.reach, far.path, "file", (stdout) => writeFileHere(stdout, path, found.mode), options)
      : readInside(far.reach, far.path, "folder", async (stdout) => void (await unpackTar(stdout, path, options.signal)), options),
  );
}

/** The name that a source keeps in a folder; the machine has no say in it. */
function contentsOr(typed: string, absolute: string): string {
  return meansContents(typed) ? typed : join("/", basename(absolute));
}

async function writeFileHere(stdout: Readable, path: string, mode: number): Promise<void> {
  await pipeline(stdout, createWriteStream(path, { flags: "wx", mode: 0o600 }));
  await chmod(path, mode);
}
