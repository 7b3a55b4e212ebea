import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { checkpointFolder, listSealed } from "../../src/checkpoints/catalogue.ts";
import { directTravel } from "../../src/fleet/climbing/direct-travel.ts";
import { copyText } from "../../src/fleet/deciding/ladder.ts";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { FRESH_OUTLOOK } from "../../src/model/outlook.ts";
import type { ProviderVolume } from "../../src/providers/provider.ts";
import { idAt, sealSample } from "../checkpoints/sealing.ts";
import { HASTY } from "../checkpoints/travel-bench.ts";
import { s3rverS3 } from "../clouds/s3/servers.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { sampleVolume } from "../state/sample-records.ts";
import { temporaryFolder, testWorld } from "../world.ts";

const never = new AbortController().signal;
const id = idAt(1);

/** A home volume that nobody can read now, an empty one that lies here, and a bucket at a server. */
async function scene(kind: "process" | "vm" = "process") {
  const server = await s3rverS3();
  onTestFinished(() => server.close());
  const path = temporaryFolder("spot-volume-");
  const home = sampleVolume("home", { provider: "paper", providerId: "disk-home" });
  const to = sampleVolume("to", { provider: "paper", providerId: "disk-to" });
  const base = (await paperWorld()).start().fleet;
  const shown = { providerId: "disk-to", localPath: path } as ProviderVolume;
  const here = async (name: string) => {
    const provider = await base.provider(name);
    if (provider.volumes === undefined) throw new Error("a cloud without volumes");
    const { capabilities } = provider;
    const machine = { ...capabilities.machine, kind };
    return { ...provider, capabilities: { ...capabilities, machine }, volumes: { ...provider.volumes, list: async () => [shown] } };
  };
  const fleet: Fleet = { ...base, provider: here, clock: HASTY };
  await fleet.state.commit({ volumes: [home, to] });
  const sealed = temporaryFolder();
  const folder = sealSample(sealed, { id, files: { weights: "ours" } });
  const [checkpoint] = await listSealed(sealed);
  if (checkpoint === undefined) throw new Error("nothing sealed");
  const sha256 = createHash("sha256")
    .update(readFileSync(join(folder, "MANIFEST")))
    .digest("hex");
  expect(checkpoint.sha256).toBe(sha256);
  const copyAt = async (prefix: string, content: string | null, endpoint = server.url) => {
    if (content !== null) {
      const other = sealSample(temporaryFolder(), { id, files: { weights: content } });
      const hash = createHash("sha256").update(content).digest("hex");
      const pack = createHash("sha256").update(`${hash} ${content.length}\n`).digest("hex");
      await server.write(`${prefix}/packs/${pack}`, content);
      await server.write(`${prefix}/checkpoints/${id}/MANIFEST`, readFileSync(join(other, "MANIFEST")));
    }
    const said = { instance: "train", sha256, bytes: 4, sealedAt: 1, verifiedAt: 1, proof: "read" } as const;
    await fleet.state.commit({ bucketCopies: [{ checkpoint: id, place: `s3://${server.bucket}/${prefix}`, endpoint, ...said }] });
  };
  const travel = directTravel(fleet, { ...testWorld({ env: server.env }), clock: HASTY });
  /** What somebody has copied, as our records say it; it is there, whatever is in it. */
  const copied = async (copyId: string, instance: string, sealedAt: number, sha = "bb") => {
    await server.write(`x/checkpoints/${copyId}/MANIFEST`, "a manifest");
    await fleet.state.commit({
      bucketCopies: [
        {
          ...{ checkpoint: copyId, place: `s3://${server.bucket}/x`, endpoint: server.url },
          ...{ instance, sha256: sha, bytes: 9, sealedAt, verifiedAt: 1, proof: "read" },
        },
      ],
    });
  };
  return { server, path, home, to, checkpoint, travel, copyAt, copied, fleet };
}

test("a copy that is another checkpoint by now, and one that has gone, are passed over for the one that is ours", async () => {
  const { path, home, to, checkpoint, travel, copyAt } = await scene();
  await copyAt("a", "another's");
  await copyAt("b", null);
  await copyAt("c", "ours");
  expect(await travel.source(home, checkpoint, ["paper"], never)).toMatchObject({ to: ["paper"] });
  await travel.bring(checkpoint, home, to, never);
  expect(readFileSync(join(checkpointFolder(path, id), "data/weights"), "utf8")).toBe("ours");
});

test("where the only copy has become another checkpoint, nothing is brought, and that is said", async () => {
  const { path, home, to, checkpoint, travel, copyAt } = await scene();
  await copyAt("a", "another's");
  await expect(travel.bring(checkpoint, home, to, never)).rejects.toMatchObject({
    exit: 7,
    message: expect.stringContaining("is not what was copied there"),
  });
  expect(await listSealed(path)).toEqual([]);
});

test("a bucket of the same name at another server is not asked for a copy that was made elsewhere", async () => {
  const { path, home, to, checkpoint, travel, copyAt } = await scene();
  await copyAt("a", "ours", "https://minio.example");
  expect(await travel.source(home, checkpoint, ["paper"], never)).toEqual({ why: expect.stringContaining("at https://minio.example") });
  await expect(travel.bring(checkpoint, home, to, never)).rejects.toMatchObject({ code: "SPOT_E_UNREADABLE" });
  expect(await listSealed(path)).toEqual([]);
});

/** Of the record that comes back. */
const theTrain = (volume: string) => ({
  name: "train",
  createdAt: 0,
  spec: { ...paperSpec(), volume: { name: volume, sizeGb: 1, mount: "/data" } },
  outlook: FRESH_OUTLOOK,
});

test("where its last machine was lost long after the copy was sealed, the copy counts as older work by that much", async () => {
  const { home, checkpoint, travel, copied } = await scene("vm");
  await copied(checkpoint.id, "train", 1_000_000, checkpoint.sha256);
  const newest = { ...checkpoint, createdAt: 1_000_000 };
  const ask = (unsealedUntil: number) =>
    travel.source(home, newest, ["paper"], never, { ...theTrain(home.name), outlook: { ...FRESH_OUTLOOK, unsealedUntil } });
  const three = 3 * 3_600_000;
  const asked = await ask(1_000_000 + three);
  expect(asked).toMatchObject({ bucket: { checkpoint: checkpoint.id, behindMs: three, isUnread: true } });
  if ("why" in asked || asked.bucket === undefined) throw new Error("no copy");
  expect(copyText(asked.bucket)).toContain("its machine worked 3h after it");
  // Sealed within its notice: that was its last.
  expect(await ask(1_000_000 + 119_000)).toMatchObject({ bucket: { behindMs: 0 } });
});

test("a copy that its bucket has no more is passed over for an older one before anything is rented, and that is said of the last", async () => {
  const { server, home, checkpoint, travel, copied } = await scene("vm");
  await copied(idAt(2), "train", 6_000);
  await copied(idAt(3), "train", 7_000);
  const ask = () => travel.source(home, checkpoint, ["paper"], never, theTrain(home.name));
  expect(await ask()).toMatchObject({ bucket: { checkpoint: idAt(3) } });
  await server.remove(`x/checkpoints/${idAt(3)}/MANIFEST`);
  expect(await ask()).toMatchObject({ bucket: { checkpoint: idAt(2) } });
  await server.remove(`x/checkpoints/${idAt(2)}/MANIFEST`);
  expect(await ask()).toEqual({ why: `${idAt(2)} is not in s3://${server.bucket}/x any more` });
});

test("a rented machine is given the newest copy of its own work; one that is older than its volume's is said to be by how much", async () => {
  const { home, checkpoint, travel, copied, fleet } = await scene("vm");
  const train = { ...theTrain(home.name), createdAt: 5_000 };
  const ask = (newest: typeof checkpoint | undefined) => travel.source(home, newest, ["paper"], never, train);
  expect(await ask(checkpoint)).toEqual({ why: expect.stringContaining("spot checkpoints copy takes one to a bucket") });
  // Another instance's, and one of an instance that had this name before.
  await copied(idAt(9), "other", 9_000);
  await copied(idAt(8), "train", 4_999);
  expect(await ask(checkpoint)).toHaveProperty("why");
  await copied(idAt(2), "train", 6_000);
  await copied(idAt(3), "train", 7_000);
  const newest = { ...checkpoint, id: idAt(4), createdAt: 67_000 };
  expect(await ask(newest)).toMatchObject({ to: [], bucket: { checkpoint: idAt(3), behindMs: 60_000, to: ["paper"] } });
  expect(await ask(undefined)).toMatchObject({ bucket: { checkpoint: idAt(3), behindMs: 0 } });
  // What is known on its volume is its own whenever it was sealed, as long as it is the same.
  await fleet.state.commit({ checkpoints: [{ ...checkpoint, id: idAt(8), volume: home.name, sha256: "bb" }] });
  await copied(idAt(8), "train", 8_000);
  expect(await ask(newest)).toMatchObject({ bucket: { checkpoint: idAt(8) } });
  await copied(idAt(8), "train", 8_000, "cc");
  expect(await ask(newest)).toMatchObject({ bucket: { checkpoint: idAt(3) } });
});
