import { createHash } from "node:crypto";
import { chmod, mkdir, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemClock } from "../platform/clock.ts";
import { type SessionProcess, startSession } from "../platform/detached.ts";
import { hasErrorCode, writeFileAtomic } from "../platform/files.ts";
import { sessionMembers, signalProcess } from "../platform/process-identity.ts";
import type { CloudInstance } from "./records.ts";
import { instancePaths, type Site, volumeFolder } from "./site.ts";

const BYTES_PER_GB = 1024 ** 3;

/** The environment of everything in an instance. Nothing of the daemon's own gets in. */
export function instanceEnv(site: Site, instance: CloudInstance): Readonly<Record<string, string>> {
  const { root } = instancePaths(site, instance.id);
  const [first] = instance.volumes;
  const volume = first === undefined ? undefined : site.database.volume(first.id);
  return {
    ...(volume === undefined ? {} : { SPOT_VOLUME_LIMIT_BYTES: String(Math.round(volume.sizeGb * BYTES_PER_GB)) }),
    ...instance.launchEnv,
    PATH: instance.launchEnv["PATH"] ?? site.path,
    HOME: join(root, "home"),
    TMPDIR: join(root, "tmp"),
    LANG: instance.launchEnv["LANG"] ?? "C.UTF-8",
    SPOT_LOCAL_INSTANCE: instance.id,
    SPOT_ROOT: root,
  };
}

function marker(id: string): string {
  return `SPOT_LOCAL_INSTANCE=${id}`;
}

/** Tells an instance where its metadata endpoint is; again whenever that changes. */
export async function writeMetadataFile(site: Site, instance: CloudInstance): Promise<void> {
  const text = `SPOT_METADATA_URL=${site.metadataUrl()}\nSPOT_METADATA_TOKEN=${instance.metadataToken}\n`;
  await writeFileAtomic(instancePaths(site, instance.id).metadataFile, text, 0o600);
}

async function mountVolumes(site: Site, instance: CloudInstance, root: string): Promise<void> {
  for (const { id, mount } of instance.volumes) {
    const target = volumeFolder(site, id);
    const link = join(root, mount);
    await mkdir(target, { recursive: true, mode: 0o700 });
    await mkdir(dirname(link), { recursive: true, mode: 0o700 });
    try {
      await symlink(target, link);
    } catch (error) {
      const there = hasErrorCode(error, "EEXIST") ? await readlink(link).catch(() => "") : "";
      if (there !== target) throw error;
    }
  }
}

/** Prepares the disk and starts the boot script, which waits for `release`. */
export async function startMachine(site: Site, instance: CloudInstance): Promise<SessionProcess> {
  const paths = instancePaths(site, instance.id);
  await mkdir(join(paths.root, "home"), { recursive: true, mode: 0o700 });
  await mkdir(join(paths.root, "tmp"), { recursive: true, mode: 0o700 });
  await mountVolumes(site, instance, paths.root);
  await writeMetadataFile(site, instance);
  await writeFile(paths.bootScript, instance.bootScript, { mode: 0o600 });
  return startSession({
    script: paths.bootScript,
    cwd: paths.root,
    env: instanceEnv(site, instance),
    outputPath: paths.consoleLog,
  });
}

/** Asks the processes of the leader's group to end. */
export function askToEnd(instance: CloudInstance): void {
  for (const pid of sessionMembers(instance.process, marker(instance.id))) signalProcess(pid, "SIGTERM");
}

const MOST_ROUNDS = 200;
const ROUND_MS = 10;

/**
 * Kills everything that belongs to the instance, until nothing is left.
 * @throws Error when something cannot be killed; then the instance has not ended.
 */
export async function killMachine(instance: CloudInstance): Promise<void> {
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const alive = sessionMembers(instance.process, marker(instance.id));
    if (alive.length === 0) return;
    for (const pid of alive) signalProcess(pid, "SIGKILL");
    // The operating system's time, not the market's.
    await systemClock.sleep(ROUND_MS);
  }
  throw new Error(`processes of ${instance.id} cannot be killed`);
}

/** Go's module cache, for one, is made of folders that even their owner may not write. */
async function makeWritable(folder: string): Promise<void> {
  await chmod(folder, 0o700);
  for (const entry of await readdir(folder, { withFileTypes: true })) if (entry.isDirectory()) await makeWritable(join(folder, entry.name));
}

/** The ephemeral disk goes with the machine. The console's log stays until `local reset`. */
export async function destroyDisk(site: Site, id: string): Promise<void> {
  const paths = instancePaths(site, id);
  const remove = () => rm(paths.root, { recursive: true, force: true, maxRetries: 3 });
  await remove().catch(async (error: unknown) => {
    if (!hasErrorCode(error, "EACCES", "EPERM", "ENOTEMPTY")) throw error;
    await makeWritable(paths.root);
    await remove();
  });
  await rm(paths.bootScript, { force: true });
}

/** What a machine that is switched off forgets although its disk is kept: the folders that live in memory. */
export async function forgetMemory(site: Site, id: string): Promise<void> {
  const { root } = instancePaths(site, id);
  await rm(join(root, "run"), { recursive: true, force: true, maxRetries: 3 });
  await rm(join(root, "tmp"), { recursive: true, force: true, maxRetries: 3 });
}

/** A loopback address of its own, another one after every start. */
export function addressOf(id: string, runs: number): string {
  const [a = 0, b = 0] = createHash("sha256").update(`${id} ${runs}`).digest();
  return `127.77.${a}.${(b % 254) + 1}`;
}
