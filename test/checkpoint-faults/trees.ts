import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Manifest } from "../../src/checkpoints/manifest.ts";
import { below } from "../../src/checkpoints/verify.ts";

const NAMES = ["plain", "new\nline", "tab\tand\\back", "ünï — 漢", "-dash", "deep/er/still"] as const;

/** A workload's replacement of a file: written under another name, then renamed. */
function replaceFile(folder: string, name: string, content: string | Buffer): void {
  const other = join(folder, ".being-written");
  writeFileSync(other, content);
  renameSync(other, join(folder, name));
}

/** What a workload has written at its first step: files with odd names, links, an empty folder, an empty file. */
export function writeFirst(folder: string, step: number): void {
  mkdirSync(join(folder, "deep/er"), { recursive: true });
  mkdirSync(join(folder, "empty"));
  for (const [index, name] of NAMES.entries()) writeFileSync(join(folder, name), Buffer.alloc(index * 1500, `${name} ${step}`));
  symlinkSync("deep/er\nnowhere", join(folder, "link\tto"));
  symlinkSync("plain", join(folder, "link"));
  utimesSync(join(folder, "-dash"), 1_000_000_000, 1_000_000_000);
  replaceFile(folder, "STEP", `${step}`);
}

/** What it writes at each later step: one file and its word for the step. */
export function writeNext(folder: string, step: number): void {
  replaceFile(folder, "plain", Buffer.alloc(3000, `next ${step} `));
  replaceFile(folder, "STEP", `${step}`);
}

const hash = (content: Buffer) => createHash("sha256").update(content).digest("hex");

/** All that a checkpoint keeps of a folder, as lines of text that can be compared. */
export function foldersContent(folder: string): string {
  const lines: string[] = [];
  const open = [""];
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    for (const raw of readdirSync(path === "" ? folder : below(folder, path), { encoding: "buffer" })) {
      const child = `${path === "" ? "" : `${path}/`}${raw.toString("latin1")}`;
      const at = below(folder, child);
      const found = lstatSync(at);
      const mode = (found.mode & 0o7777).toString(8);
      if (found.isDirectory()) {
        open.push(child);
        lines.push(`d ${mode} ${child}`);
      } else if (found.isSymbolicLink()) lines.push(`l ${child} ${readlinkSync(at, "buffer").toString("latin1")}`);
      else lines.push(`f ${mode} ${Math.floor(found.mtimeMs / 1000)} ${child} ${hash(readFileSync(at))}`);
    }
  }
  return lines.sort().join("\n");
}

/** The same of what a manifest lists. */
export function manifestsContent({ entries }: Manifest): string {
  return entries
    .map((entry) => {
      if (entry.kind === "link") return `l ${entry.path} ${entry.target}`;
      const mode = entry.mode.toString(8);
      return entry.kind === "folder" ? `d ${mode} ${entry.path}` : `f ${mode} ${entry.mtime} ${entry.path} ${entry.sha256}`;
    })
    .sort()
    .join("\n");
}
