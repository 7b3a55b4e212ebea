import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Fleet } from "../../src/fleet/fleet.ts";
import { introduce, peerKeys } from "../../src/fleet/peers.ts";
import { peersAtBoot } from "../../src/guest/peers-at-boot.ts";
import { Problem } from "../../src/model/problem.ts";
import type { LaunchSpec } from "../../src/providers/provider.ts";
import { paperSpec, paperWorld } from "../simulation/paper-world.ts";
import { up } from "../simulation/scenarios.ts";
import { temporaryFolder } from "../world.ts";

const DAY = 86_400_000;
const signal = new AbortController().signal;
const key = (name: string) => `ssh-ed25519 ${name.repeat(8)}`;

async function world() {
  const made = await paperWorld();
  onTestFinished(() => made.state.close());
  const { fleet } = made.start();
  /** The same fleet on another computer. */
  const at = (name: string): Fleet => ({ ...fleet, guest: { ...fleet.guest, publicKey: async () => `${key(name)} spot` } });
  return { ...made, at };
}

test("each computer says its key once a day; who was not seen for ninety days is forgotten, ours is not among the others'", async () => {
  const { clock, state, at } = await world();
  await introduce(at("OLD1"), "old", signal);
  await clock.pass(60 * DAY);
  await introduce(at("HERE"), "here", signal);
  await introduce(at("PEER"), "peer", signal);
  expect(await peerKeys(at("HERE"), `${key("HERE")} spot`)).toEqual([key("PEER"), key("OLD1")]);
  const seen = async () => Object.fromEntries((await state.peers(0)).map(({ host, seenAt }) => [host, seenAt]));
  const before = await seen();
  await clock.pass(DAY / 2);
  await introduce(at("PEER"), "peer", signal);
  expect(await seen()).toEqual(before);
  await clock.pass(DAY);
  await introduce(at("PEER"), "peer", signal);
  expect((await seen())["peer"]).toBe(clock.now());
  // A key that was made anew is not put off until tomorrow.
  await introduce(at("NEW1"), "peer", signal);
  await clock.pass(30 * DAY);
  expect(await peerKeys(at("HERE"), key("HERE"))).toEqual([key("NEW1")]);
});

test("what is no key of spot's goes nowhere, and a computer without one is let be", async () => {
  const { state, at } = await world();
  const evil = [`${key("EVIL")}'; rm -rf /; '`, `command="x" ${key("EVIL")}`, `${key("EVIL")}\n${key("MORE")}`, "ssh-rsa AAAA"];
  for (const [index, publicKey] of evil.entries()) await state.putPeer({ host: `${index}`, publicKey }, 1_800_000_000_000);
  expect(await peerKeys(at("HERE"), key("HERE"))).toEqual([]);
  for (const publicKey of evil) expect(() => peersAtBoot({ ourKey: key("HERE"), keys: [publicKey] })).toThrow("none of spot's");
  const keyless = at("NONE");
  const missing = new Problem({ code: "SPOT_E_NO_SSH", message: "no ssh-keygen", exit: 1 });
  await introduce({ ...keyless, guest: { ...keyless.guest, publicKey: () => Promise.reject(missing) } }, "keyless", signal);
  expect((await state.peers(0)).length).toBe(evil.length);
});

test("a launch takes the others' keys along, in the boot script and for a cloud that takes several", async () => {
  const { clock, at } = await world();
  await introduce(at("PEER"), "peer", signal);
  const here = at("HERE");
  const provider = await here.provider("paper");
  const specs: LaunchSpec[] = [];
  const told: unknown[] = [];
  const fleet: Fleet = {
    ...here,
    provider: async () => ({
      ...provider,
      capabilities: { ...provider.capabilities, machine: { kind: "vm", notices: "controller", endsItself: false, volumes: "mounted" } },
      launch: (spec, context) => {
        specs.push(spec);
        return provider.launch(spec, context);
      },
    }),
    guest: {
      ...here.guest,
      bootScript: async (_record, _cloud, peers) => {
        told.push(peers);
        return "#!/bin/sh\n";
      },
    },
  };
  await clock.run(up(fleet, paperSpec({ volume: null })));
  expect(specs.map(({ peerKeys: keys }) => keys)).toEqual([[key("PEER")]]);
  expect(told).toEqual([{ ourKey: `${key("HERE")} spot`, keys: [key("PEER")] }]);
});

test("at boot the others come in wherever our own key lets us in, and nowhere else, each once", () => {
  const root = temporaryFolder();
  const put = (path: string, text: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  put("root/.ssh/authorized_keys", `no-pty,command="echo log in as ubuntu" ${key("HERE")}\n`);
  put("home/ubuntu/.ssh/authorized_keys", `ssh-ed25519 other\n${key("HERE")} spot`);
  put("home/guest/.ssh/authorized_keys", `${key("THEIRS")}\n`);
  put("home/bare/file", "");
  const script = [
    "set -eu",
    `spot_root='${root}'`,
    'spot_lib="$spot_root"',
    ...peersAtBoot({ ourKey: `${key("HERE")} x`, keys: [key("PEER"), key("MORE")] }),
  ].join("\n");
  for (let boots = 0; boots < 2; boots++) execFileSync("/bin/sh", ["-c", script]);
  const read = (path: string) => readFileSync(join(root, path), "utf8");
  expect(read("home/ubuntu/.ssh/authorized_keys")).toBe(
    `ssh-ed25519 other\n${key("HERE")} spot\n${key("PEER")} spot\n${key("MORE")} spot\n`,
  );
  expect(read("root/.ssh/authorized_keys")).toBe(`no-pty,command="echo log in as ubuntu" ${key("HERE")}\n`);
  expect(read("home/guest/.ssh/authorized_keys")).toBe(`${key("THEIRS")}\n`);
});
