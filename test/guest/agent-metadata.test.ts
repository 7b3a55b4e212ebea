import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, type TestContext, test, vi } from "vitest";
import { listSealed } from "../../src/checkpoints/catalogue.ts";
import { verifyCheckpoint } from "../../src/checkpoints/verify.ts";
import type { AgentSettings } from "../../src/guest/boot-script.ts";
import { systemClock } from "../../src/platform/clock.ts";
import type { MachineKind } from "../../src/providers/provider.ts";
import { startMetadata } from "../clouds/metadata/metadata.ts";
import type { MetadataKind, MetadataOptions, MetadataService } from "../clouds/metadata/service.ts";
import { agentProcess, eventually, type MachineOptions } from "./machine.ts";
import { type Disk, has, makeRented, type Rented } from "./rented.ts";

const KIND: Readonly<Record<MetadataKind, MachineKind>> = {
  aws: { kind: "vm", notices: "aws", endsItself: true, volumes: "device" },
  gcp: { kind: "vm", notices: "gcp", endsItself: true, volumes: "device" },
  alibaba: { kind: "vm", notices: "alibaba", endsItself: false, volumes: "device" },
};
// Nearly all of it is waiting for the next question.
vi.setConfig({ maxConcurrency: 10, testTimeout: 120_000 });
const ACTION = "/latest/meta-data/spot/instance-action";
const REBALANCE = "/latest/meta-data/events/recommendations/rebalance";
const TOKEN = "/latest/api/token";
const PREEMPTED = "/computeMetadata/v1/instance/preempted";
const TERMINATION = "/latest/meta-data/instance/spot/termination-time";
const SERIAL = "vol0123456789abcdef0";

const writer = ["sh", "-c", 'echo 7 > "$SPOT_CHECKPOINT_DIR/STEP"; sleep 1000'];
const hook = 'echo "$SPOT_DEADLINE $SPOT_REASON" >> "$SPOT_CHECKPOINT_DIR/hook"';

interface Wanted {
  readonly machine?: MachineOptions;
  readonly service?: Partial<MetadataOptions>;
  readonly settings?: Partial<AgentSettings>;
}

interface Working {
  readonly machine: Rented;
  readonly service: MetadataService;
  readonly disk: Disk;
}

/** A machine of that cloud with its metadata service and its volume, at work, once it has asked for notices. */
async function working({ onTestFinished }: TestContext, cloud: MetadataKind, wanted: Wanted = {}): Promise<Working> {
  const service = await startMetadata(cloud, { clock: systemClock, ...wanted.service });
  const machine = makeRented(KIND[cloud], wanted.machine);
  onTestFinished(async () => {
    machine.close();
    await service.close();
  });
  machine.metadata(service.url);
  machine.boot({ command: writer, checkpointHook: hook, ...wanted.settings });
  await eventually("a status", async () => ((await machine.verb("status")).code === 0 ? true : undefined));
  const disk = machine.disk();
  machine.attach("nvme1n1", disk, { serial: SERIAL });
  expect((await machine.verb("volume", `serial:${SERIAL}`)).stdout).toBe('{"mounted":true,"device":"/dev/nvme1n1","formatted":true}\n');
  await eventually("the workload's file", () => (existsSync(join(machine.lib, "checkpoint/STEP")) ? true : undefined));
  // Not the one for a token: a notice that comes before the first answer is heard by the first question.
  await eventually("a first question", () =>
    service.requests.some(({ method, status }) => method !== "PUT" && (status === 404 || status === 200)) ? true : undefined,
  );
  return { machine, service, disk };
}

const inSeconds = (seconds: number) => systemClock.now() + seconds * 1000;
const epoch = (milliseconds: number) => Math.floor(milliseconds / 1000);
/** Whether a time, in seconds, lies between `from`, in milliseconds, and now; however slow this computer is. */
const isSince = (from: number) => (seconds: number) => seconds >= epoch(from) - 1 && seconds <= epoch(systemClock.now()) + 1;
const asked = (service: MetadataService, path: string, method = "GET") =>
  service.requests.filter((request) => request.path === path && request.method === method);

/** Whether a question was refused for its token, and a later one answered. */
function isAnsweredAgain(requests: MetadataService["requests"]): boolean {
  const refused = requests.findIndex(({ status }) => status === 401);
  return refused >= 0 && requests.slice(refused).some(({ method, status }) => method === "GET" && status === 404);
}

/** Tokens that were asked for beyond the first, and one for each refusal: on a busy computer one may come too late to be used. */
function tokensTooMany(service: MetadataService): number {
  const refusals = service.requests.filter(({ method, status }) => method === "GET" && status === 401).length;
  return Math.max(0, asked(service, TOKEN, "PUT").length - 1 - refusals);
}

async function sealed(disk: Disk, reason: string) {
  return eventually(`a checkpoint for ${reason}`, async () => (await listSealed(disk.files)).find((one) => one.reason === reason));
}

async function notice(machine: Rented) {
  return (await machine.status()).notice;
}

/** What the hook was told at each of its runs. */
function hooks(machine: Rented): readonly string[] {
  const file = join(machine.lib, "checkpoint/hook");
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
}

/** Milliseconds from `from` to the hook's start and to the sealed checkpoint, for whoever wants the figures. */
function measure(what: string, from: number, { machine, disk }: Working, id: string): { readonly hook: number; readonly sealed: number } {
  const took = {
    hook: Math.round(statSync(join(machine.lib, "checkpoint/hook")).mtimeMs - from),
    sealed: Math.round(statSync(join(disk.files, "spot/checkpoints", id)).ctimeMs - from),
  };
  if (process.env["SPOT_TEST_MEASURE"] !== undefined) process.stderr.write(`${what}: hook ${took.hook} ms, sealed ${took.sealed} ms\n`);
  return took;
}

const ALL = process.env["SPOT_TEST_SHELLS"] === "all";
const SHELLS: readonly { readonly name: string; readonly options: MachineOptions }[] = [
  { name: "the system's sh", options: {} },
  ...(ALL
    ? [
        { name: "dash with curl", options: { shell: ["dash"], path: ["curl"] } },
        { name: "dash with GNU wget", options: { shell: ["dash"], path: ["wget"] } },
        { name: "bash --posix with python3", options: { shell: ["bash", "--posix"], path: ["python3"] } },
        { name: "busybox with python3", options: { shell: ["busybox", "sh"], path: ["python3"] } },
      ]
    : []),
];
/** What asks with the system's own PATH; node is not among it on a machine of a cloud. */
const CAN_ASK = has("curl", "what the agent hears of the clouds' metadata services");
const HAS_BUSYBOX = has("busybox", "the agent where no program can PUT");
const BUSYBOX = { shell: ["busybox", "sh"], path: ["wget"] };

describe.skipIf(!CAN_ASK).concurrent("EC2", () => {
  test.for(SHELLS)(
    "two minutes of notice from IMDSv2 reach the hook and a sealed checkpoint, with $name",
    async ({ name, options }, context) => {
      const all = await working(context, "aws", { machine: options });
      const { machine, service, disk } = all;
      const from = systemClock.now();
      const deadline = inSeconds(120);
      service.giveNotice(deadline);
      const checkpoint = await sealed(disk, "notice");
      const took = measure(`aws, ${name}`, from, all, checkpoint.id);
      expect(took.hook).toBeLessThan(took.sealed);
      expect(took.sealed).toBeLessThan(deadline - from);
      expect(hooks(machine)).toEqual([`${epoch(deadline)} notice`]);
      expect(await notice(machine)).toMatchObject({ kind: "reclaim", deadline: epoch(deadline) });
      expect(await verifyCheckpoint(join(disk.files, "spot/checkpoints", checkpoint.id))).toMatchObject({ ok: true });
      // Version 2 only: nothing is told without a token. On a busy computer the first may come too late for whoever asked for it.
      for (const { headers, status } of asked(service, TOKEN, "PUT"))
        expect([headers["x-aws-ec2-metadata-token-ttl-seconds"], status]).toEqual(["21600", 200]);
      expect(asked(service, TOKEN, "PUT").length).toBeGreaterThan(0);
      expect(new Set(service.requests.map(({ path }) => path))).toEqual(new Set([TOKEN, ACTION, REBALANCE]));
    },
  );

  test("it is asked every five seconds, not more; a token that is no longer good is replaced once", async (context) => {
    const { machine, service, disk } = await working(context, "aws");
    await eventually("a second question", () =>
      asked(service, REBALANCE).filter(({ status }) => status === 404).length >= 2 ? true : undefined,
    );
    const before = service.requests.length;
    service.forgetTokens();
    await eventually("an answer to another token", () => (isAnsweredAgain(service.requests.slice(before)) ? true : undefined));
    for (const [index, { at }] of asked(service, ACTION).entries()) {
      const last = asked(service, ACTION)[index - 1];
      if (last !== undefined && last.status !== 401) expect(at - last.at).toBeGreaterThan(4900);
    }
    expect(tokensTooMany(service)).toBe(0);
    service.giveNotice(inSeconds(60));
    await sealed(disk, "notice");
    expect(tokensTooMany(service)).toBe(0);
    expect((await notice(machine))?.kind).toBe("reclaim");
  });

  test("a service that is away takes nothing back and holds nobody up; a withdrawal does", async (context) => {
    const { machine, service } = await working(context, "aws");
    service.giveNotice(inSeconds(60));
    await eventually("the notice", async () => ((await notice(machine)) === null ? undefined : true));
    const before = service.requests.length;
    service.server.disturb({ what: { do: "stall", ms: 60_000 }, times: 1000 });
    await eventually("an unanswered question", () => (service.server.requests.length > before ? true : undefined));
    const beat = (await machine.status()).heartbeatAt ?? 0;
    await systemClock.sleep(2500);
    const status = await machine.status();
    expect((status.heartbeatAt ?? 0) - beat).toBeGreaterThanOrEqual(2);
    expect(status.notice?.kind).toBe("reclaim");
    service.server.calm();
    service.withdraw();
    await eventually("no notice", async () => ((await notice(machine)) === null ? true : undefined));
    expect(machine.log()).toContain("the notice was withdrawn");
  });

  test("a rebalance recommendation is told, and costs one more checkpoint; a reclaim after it is answered", async (context) => {
    const { machine, service, disk } = await working(context, "aws", { settings: { checkpointEverySeconds: 3600 } });
    const from = systemClock.now();
    service.giveRebalance();
    await sealed(disk, "interval");
    expect((await notice(machine))?.kind).toBe("rebalance");
    expect(JSON.parse(readFileSync(join(machine.root, "run/spot/notice.json"), "utf8"))).toMatchObject({ kind: "rebalance" });
    expect((await notice(machine))?.deadline).toSatisfy(isSince(from));
    expect(machine.log()).toContain("(rebalance)");
    writeFileSync(join(machine.lib, "checkpoint/later"), "x");
    await systemClock.sleep(1500);
    expect(await listSealed(disk.files)).toHaveLength(1);
    service.giveNotice(inSeconds(60));
    await sealed(disk, "notice");
    expect((await notice(machine))?.kind).toBe("reclaim");
  });

  test.skipIf(!HAS_BUSYBOX)(
    "where no program can PUT, it says so, and reads without a token what the cloud lets it read",
    async (context) => {
      const { machine, service, disk } = await working(context, "aws", { machine: BUSYBOX, service: { tokens: "optional" } });
      service.giveNotice(inSeconds(60));
      await sealed(disk, "notice");
      expect(asked(service, TOKEN, "PUT")).toEqual([]);
      expect(machine.log().split("no program here can PUT")).toHaveLength(2);
    },
  );

  test("a notice that is over already, by this machine's clock, is sealed for once", async (context) => {
    const { service, disk } = await working(context, "aws");
    service.giveNotice(inSeconds(-30));
    await sealed(disk, "notice");
  });

  test("a machine that has outlived its deadline by a minute seals at intervals again", async (context) => {
    const { machine, service, disk } = await working(context, "aws", { settings: { checkpointEverySeconds: 1, checkpointHook: null } });
    service.giveNotice(inSeconds(-45));
    await eventually("the answer", async () => (machine.log().includes("notice: reclaim in") ? true : undefined));
    await systemClock.sleep(1500);
    writeFileSync(join(machine.lib, "checkpoint/later"), "x");
    const newest = await eventually("newer data", async () =>
      (await listSealed(disk.files)).find(({ id }) => existsSync(join(disk.files, "spot/checkpoints", id, "data/later"))),
    );
    expect(newest.reason).toBe("interval");
  });

  test("when its time is over it seals and shuts down, which ends its billing", async (context) => {
    const { machine, disk } = await working(context, "aws", { settings: { ttlEndsAt: epoch(inSeconds(24)) } });
    await eventually("its shutdown", () => (machine.poweredOff() ? true : undefined));
    expect((await listSealed(disk.files)).map(({ reason }) => reason)).toEqual(["down"]);
    await eventually("the agent's end", async () => ((await machine.verb("status")).code === 7 ? true : undefined));
    // A machine that comes back after its time does not begin again.
    machine.powerOff();
    machine.startAgent();
    await eventually("its shutdown, again", () => (machine.log().split("ending this machine").length === 3 ? true : undefined));
    expect(hooks(machine)).toHaveLength(1);
  });

  test("an agent that cannot shut its machine down waits for its end, as one that must not", async (context) => {
    const { machine } = await working(context, "aws");
    writeFileSync(join(machine.root, "sbin/poweroff"), "#!/bin/sh\nexit 1\n");
    writeFileSync(join(machine.root, "run/spot/ttl-ends-at"), "1\n");
    await eventually("phase expired", async () => ((await machine.status()).phase === "expired" ? true : undefined));
    expect(machine.poweredOff()).toBe(false);
  });

  test("an agent that is stopped seals and leaves, does not end the machine, and nobody goes on asking", async (context) => {
    const { machine, service, disk } = await working(context, "aws");
    process.kill(Number(readFileSync(join(machine.root, "run/spot/agent-pid"), "utf8")), "SIGTERM");
    await sealed(disk, "down");
    await eventually("the agent's end", async () => ((await machine.verb("status")).code === 7 ? true : undefined));
    expect(machine.poweredOff()).toBe(false);
    const { length } = service.requests;
    await systemClock.sleep(6000);
    expect(service.requests).toHaveLength(length);
  });

  test("whoever asks for the agent is replaced when he dies, and ends by himself when the agent is killed", async (context) => {
    const { machine, service } = await working(context, "aws");
    const first = await eventually("who asks", () => agentProcess(machine.root, "_listen"));
    process.kill(first, "SIGKILL");
    const second = await eventually("another one", () => {
      const pid = agentProcess(machine.root, "_listen");
      return pid === first ? undefined : pid;
    });
    await eventually("a question of his", () => (asked(service, TOKEN, "PUT").length === 2 ? true : undefined));
    process.kill(Number(readFileSync(join(machine.root, "run/spot/agent-pid"), "utf8")), "SIGKILL");
    await eventually("his end", () => (existsSync(`/proc/${second}`) ? undefined : true));
  });
});

describe.skipIf(!CAN_ASK).concurrent("Compute Engine", () => {
  const shells = ALL ? [...SHELLS, { name: "busybox alone", options: BUSYBOX }] : SHELLS;
  test.for(shells)("a preemption reaches the hook by a read that waits, with $name", async ({ name, options }, context) => {
    const all = await working(context, "gcp", { machine: options });
    const { machine, service, disk } = all;
    await eventually("a waiting read", () => (asked(service, PREEMPTED).some(({ status }) => status === null) ? true : undefined));
    const from = systemClock.now();
    service.giveNotice(0);
    const checkpoint = await sealed(disk, "notice");
    const took = measure(`gcp, ${name}`, from, all, checkpoint.id);
    expect(took.hook).toBeLessThan(took.sealed);
    // No deadline is told: a little less than the 30 seconds there are at best.
    const deadline = (await notice(machine))?.deadline ?? 0;
    expect(deadline - 25).toSatisfy(isSince(from));
    const reads = asked(service, PREEMPTED);
    expect(reads[1]?.query.get("wait_for_change")).toBe("true");
    expect(reads[1]?.query.get("last_etag")).toMatch(/^[0-9a-f]{16}$/);
    expect(service.requests.every(({ headers }) => headers["metadata-flavor"] === "Google")).toBe(true);
    expect(reads.length).toBeLessThanOrEqual(4);
    await systemClock.sleep(1200);
    expect((await notice(machine))?.deadline).toBe(deadline);
    service.withdraw();
    await eventually("no notice", async () => ((await notice(machine)) === null ? true : undefined));
  });

  test("two minutes of notice, where they were ordered, are counted from the flag", async (context) => {
    const { machine, service } = await working(context, "gcp", { settings: { noticeSeconds: 120 } });
    const from = systemClock.now();
    service.giveNotice(0);
    const heard = await eventually("the notice", async () => (await notice(machine)) ?? undefined);
    expect(heard.kind).toBe("reclaim");
    expect(heard.deadline - 120).toSatisfy(isSince(from));
  });

  test("maintenance that ends the machine is told an hour ahead; the flag of a preemption goes before it", async ({ onTestFinished }) => {
    const service = await startMetadata("gcp", { clock: systemClock });
    const from = systemClock.now();
    service.giveMaintenance();
    const machine = makeRented(KIND.gcp);
    onTestFinished(async () => {
      machine.close();
      await service.close();
    });
    machine.metadata(service.url);
    machine.boot({ command: writer, volumeMount: null, volumeName: null });
    await eventually("a status", async () => ((await machine.verb("status")).code === 0 ? true : undefined));
    const heard = await eventually("the notice", async () => (await notice(machine)) ?? undefined);
    expect(heard.kind).toBe("maintenance");
    expect(heard.deadline - 3600).toSatisfy(isSince(from));
    service.giveNotice(0);
    await eventually("the preemption", async () => ((await notice(machine))?.kind === "reclaim" ? true : undefined));
  });

  test("a service that errs is asked again, at a pace, and what it says then is heard", async (context) => {
    const { machine, service } = await working(context, "gcp");
    service.server.disturb({ what: { do: "answer", answer: { status: 503, body: "busy" } }, times: 2 });
    service.giveNotice(0);
    await eventually("the notice", async () => ((await notice(machine)) === null ? undefined : true));
    service.server.disturb({ what: { do: "answer", answer: { status: 503, body: "busy" } }, times: 1000 });
    service.withdraw();
    const [before, from] = [service.server.requests.length, systemClock.monotonic()];
    await systemClock.sleep(6000);
    expect(service.server.requests.length - before).toBeLessThanOrEqual((systemClock.monotonic() - from) / 1000);
    expect((await notice(machine))?.kind).toBe("reclaim");
  });

  test("a shutdown by the cloud is sealed for in its short time, and no hook runs twice for it", async (context) => {
    const { machine, service, disk } = await working(context, "gcp");
    service.giveNotice(0);
    await eventually("the hook", () => (hooks(machine).length > 0 ? true : undefined));
    process.kill(Number(readFileSync(join(machine.root, "run/spot/agent-pid"), "utf8")), "SIGTERM");
    await eventually("the agent's end", async () => ((await machine.verb("status")).code === 7 ? true : undefined));
    expect(hooks(machine)).toHaveLength(1);
    expect((await listSealed(disk.files)).map(({ reason }) => reason)).toEqual(["notice"]);
    expect(machine.poweredOff()).toBe(false);
    expect(readdirSync(join(machine.root, "run/spot")).filter((name) => name.endsWith(".lock"))).toEqual([]);
  });
});

describe.skipIf(!CAN_ASK).concurrent("Alibaba", () => {
  test.for(SHELLS)(
    "the time of the release reaches the hook and a sealed checkpoint, hardened, with $name",
    async ({ name, options }, context) => {
      const all = await working(context, "alibaba", { machine: options });
      const { machine, service, disk } = all;
      const from = systemClock.now();
      const deadline = inSeconds(300);
      service.giveNotice(deadline);
      const checkpoint = await sealed(disk, "notice");
      const took = measure(`alibaba, ${name}`, from, all, checkpoint.id);
      expect(took.hook).toBeLessThan(took.sealed);
      expect(took.sealed).toBeLessThan(deadline - from);
      expect(hooks(machine)).toEqual([`${epoch(deadline)} notice`]);
      expect(asked(service, TOKEN, "PUT").length).toBeGreaterThan(0);
    },
  );

  test("a service that knows of no tokens is asked without one, and for one only once", async (context) => {
    const { service, disk } = await working(context, "alibaba", { service: { tokens: "none" } });
    await eventually("a second question", () => (asked(service, TERMINATION).length === 2 ? true : undefined));
    service.giveNotice(inSeconds(60));
    await sealed(disk, "notice");
    expect(asked(service, TOKEN, "PUT")).toHaveLength(1);
  });

  test("a token that ends early is replaced", async (context) => {
    const { service, disk } = await working(context, "alibaba", { service: { tokenSecondsAtMost: 3 } });
    await eventually("an answer to another token", () => (isAnsweredAgain(asked(service, TERMINATION)) ? true : undefined));
    expect(tokensTooMany(service)).toBe(0);
    service.giveNotice(inSeconds(60));
    await sealed(disk, "notice");
  });
});
