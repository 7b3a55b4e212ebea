import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stateOf } from "../../src/providers/verda/codes.ts";
import {
  actionResults,
  availabilityList,
  imageList,
  instanceSchema,
  keyList,
  scriptList,
  tokenSchema,
  typeList,
  volumeSchema,
} from "../../src/providers/verda/wire.ts";
import { context, verdaBench } from "./verda-bench.ts";

/**
 * The vendor's own words: no OpenAPI document of it could be had, but its Go SDK says in its structs what it sends and reads.
 * It is not part of this repository: git clone https://github.com/verda-cloud/verdacloud-sdk-go, and name the folder (or its
 * bare git directory) in SPOT_VERDA_SDK.
 */
const SDK = process.env["SPOT_VERDA_SDK"];
if (SDK === undefined) process.stdout.write("verda: not checked against the vendor's Go SDK: SPOT_VERDA_SDK does not name it\n");

function source(file: string): string {
  const folder = SDK ?? "";
  const path = `pkg/verda/${file}.go`;
  if (existsSync(join(folder, path))) return readFileSync(join(folder, path), "utf8");
  return execFileSync("git", [`--git-dir=${folder}`, "show", `HEAD:${path}`], { encoding: "utf8" });
}

/** The names that a Go struct has on the wire. */
function fieldsOf(file: string, struct: string): readonly string[] {
  const body = new RegExp(`type ${struct} struct \\{([^]*?)\\n\\}`).exec(source(file))?.[1];
  if (body === undefined) throw new Error(`${file}.go has no ${struct}`);
  return [...body.matchAll(/json:"([^",]+)/g)].map((match) => match[1] ?? "");
}

const unknownTo = (fields: readonly string[], names: readonly string[]) => names.filter((name) => !fields.includes(name));

describe.skipIf(SDK === undefined)("beside the vendor's Go SDK", () => {
  test("everything that is sent has a field there, with its name", async () => {
    const bench = await verdaBench();
    const volume = await bench.provider.volumes?.create({ name: "w", token: "t-v", sizeGb: 1, region: "FIN-01", zone: "FIN-01" }, context);
    const id = volume?.providerId ?? "";
    const machine = await bench.running("t-1", { volumes: [{ providerVolumeId: id, mount: "/data" }] });
    await bench.provider.destroy(machine.providerId, context);
    bench.clock.advance(60_000);
    await bench.provider.volumes?.remove(id, context);
    const [create = {}] = bench.bodies("POST", "/instances");
    const sent = [
      ["instances_types", "CreateInstanceRequest", create],
      ["instances_types", "OSVolumeCreateRequest", create["os_volume"]],
      ["tags_types", "TagRequest", (create["tags"] as readonly unknown[])[0]],
      ["instances_types", "InstanceActionRequest", bench.bodies("PUT", "/instances")[0]],
      ["volumes_types", "VolumeCreateRequest", bench.bodies("POST", "/volumes")[0]],
      ["volumes_types", "VolumeActionRequest", bench.bodies("PUT", "/volumes")[0]],
      ["ssh_keys", "CreateSSHKeyRequest", bench.bodies("POST", "/ssh-keys")[0]],
      ["startup_scripts", "CreateStartupScriptRequest", bench.bodies("POST", "/scripts")[0]],
      ["auth", "TokenRequest", bench.bodies("POST", "/oauth2/token")[0]],
    ] as const;
    for (const [file, struct, body] of sent) {
      const names = Object.keys(body as object);
      expect(names.length, struct).toBeGreaterThan(0);
      expect(unknownTo(fieldsOf(file, struct), names), struct).toEqual([]);
    }
  });

  test("everything that is read has a field there, with its name", () => {
    const read = [
      ["instances_types", "Instance", instanceSchema.entries],
      ["instances_types", "InstanceActionResult", actionResults.item.entries],
      ["instance_types", "InstanceTypeInfo", typeList.item.entries],
      ["instance_availability", "LocationAvailability", availabilityList.item.entries],
      ["ssh_keys", "SSHKey", keyList.item.entries],
      ["startup_scripts", "StartupScript", scriptList.item.entries],
      ["images", "Image", imageList.item.entries],
      ["auth", "TokenResponse", tokenSchema.entries],
    ] as const;
    for (const [file, struct, entries] of read) expect(unknownTo(fieldsOf(file, struct), Object.keys(entries)), struct).toEqual([]);
    const volumes = [...fieldsOf("volumes_types", "Volume"), ...fieldsOf("volumes_types", "VolumeInTrash")];
    expect(unknownTo(volumes, Object.keys(volumeSchema.entries)), "Volume").toEqual([]);
  });

  test("every status that is named there means something to us", () => {
    const statuses = [...source("instances_types").matchAll(/^\tStatus\w+\s+= "(\w+)"/gm)].map((match) => match[1] ?? "");
    expect(statuses.length).toBeGreaterThan(10);
    expect(statuses.filter((status) => stateOf(status) === "unknown")).toEqual(["unknown"]);
  });
});
