import { type AddressInfo, createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ecsClient } from "../../src/providers/alibaba/client.ts";
import { authorization, canonicalQuery, sha256Hex } from "../../src/providers/alibaba/signature.ts";
import { doneSchema, regionList } from "../../src/providers/alibaba/wire.ts";
import { handClock } from "../local-cloud/hand-clock.ts";
import { alibabaBench, context, refusal } from "./alibaba-bench.ts";

test("the vendor's published example is signed as the vendor signs it", () => {
  const headers = {
    host: "ecs.cn-shanghai.aliyuncs.com",
    "x-acs-action": "RunInstances",
    "x-acs-content-sha256": sha256Hex(""),
    "x-acs-date": "2023-10-26T10:22:32Z",
    "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
    "x-acs-version": "2014-05-26",
  };
  const query = { RegionId: "cn-shanghai", ImageId: "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd" };
  const key = { id: "YourAccessKeyId", secret: "YourAccessKeySecret" };
  expect(authorization({ method: "POST", path: "/", query, headers, body: "" }, key)).toBe(
    "ACS3-HMAC-SHA256 Credential=YourAccessKeyId," +
      "SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version," +
      "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
  );
});

test("a query is sorted by bytes and encoded as RFC 3986 wants it", () => {
  expect(canonicalQuery({ b: "1 2", a: "*~'", B: "/+" })).toBe("B=%2F%2B&a=%2A~%27&b=1%202");
});

test("all parameters travel in a signed form, every x-acs header is signed, and JSON is asked for", async () => {
  const { provider, requests } = await alibabaBench();
  await provider.list(context);
  for (const { method, path, query, headers, body } of requests()) {
    expect([method, path, query.size, headers["accept"]]).toEqual(["POST", "/", 0, "application/json"]);
    expect(headers["content-type"]).toBe("application/x-www-form-urlencoded");
    expect(headers["x-acs-content-sha256"]).toBe(sha256Hex(body));
    const signed = (/SignedHeaders=([^,]+)/.exec(headers["authorization"] ?? "")?.[1] ?? "").split(";");
    const must = Object.keys(headers).filter((name) => name.startsWith("x-acs-") || name === "host" || name === "content-type");
    expect(signed).toEqual(must.toSorted());
  }
});

test("a read that is sent again has a nonce and a date of its own", async () => {
  const { provider, requests, instead, clock } = await alibabaBench({ env: { SPOT_ALIBABA_REGIONS: "cn-hangzhou" } });
  instead("DescribeInstances", { do: "reset-after" });
  const before = clock.now();
  expect(await provider.list(context)).toEqual([]);
  const asked = requests("DescribeInstances");
  expect(asked).toHaveLength(2);
  expect(new Set(asked.map(({ headers }) => headers["x-acs-signature-nonce"])).size).toBe(2);
  expect(asked.map(({ headers }) => Date.parse(headers["x-acs-date"] ?? "")).every((at) => at >= before - 1_000)).toBe(true);
});

test("a nonce that was seen: signed anew, and a change only with its ClientToken", async () => {
  const { provider, spec, requests, sent, instead, running } = await alibabaBench();
  const order = await spec("t-1");
  instead("DescribeInstances", refusal(400, "SignatureNonceUsed"));
  expect(await provider.list(context)).toEqual([]);
  instead("RunInstances", refusal(400, "SignatureNonceUsed"));
  await provider.launch(order, context);
  const launches = requests("RunInstances");
  expect(launches).toHaveLength(2);
  expect(new Set(launches.map(({ headers }) => headers["x-acs-signature-nonce"])).size).toBe(2);
  expect(sent("RunInstances").map(({ ClientToken }) => ClientToken)).toEqual(["t-1", "t-1"]);
  // Nothing tells a second release from the first: whether it was done is not known.
  const { providerId } = await running("t-2");
  instead("DeleteInstances", refusal(400, "SignatureNonceUsed"), 2);
  await expect(provider.destroy(providerId, context)).rejects.toMatchObject({ fault: { kind: "ambiguous" } });
  expect(requests("DeleteInstances")).toHaveLength(1);
});

test("a clock that is off is learnt from the refusal, also for a change, and only once", async () => {
  const { provider, spec, requests, fake, another, instead } = await alibabaBench();
  const order = await spec("t-1");
  fake.switches.clockAheadMs = 40 * 60_000;
  const { providerId } = await provider.launch(order, context);
  expect(await (await another()).get(providerId, context)).toMatchObject({ token: "t-1" });
  const before = requests("DescribeInstances").length;
  instead("DescribeInstances", refusal(400, "InvalidTimeStamp.Expired"), 2);
  await expect(provider.get(providerId, context)).rejects.toMatchObject({ fault: { kind: "auth" }, rawCode: "InvalidTimeStamp.Expired" });
  expect(requests("DescribeInstances").length - before).toBe(2);
});

test("temporary credentials: the token is sent, signed, and shown to nobody", async () => {
  const { fake, another, requests, instead } = await alibabaBench();
  const key = { id: "canary-sts-id", secret: "canary-sts-secret", securityToken: "canary-sts-token" };
  fake.keys.push(key);
  const provider = await another({
    ALIBABA_CLOUD_ACCESS_KEY_ID: key.id,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: key.secret,
    ALIBABA_CLOUD_SECURITY_TOKEN: key.securityToken,
  });
  expect(await provider.list(context)).toEqual([]);
  expect(requests().at(-1)?.headers["x-acs-security-token"]).toBe(key.securityToken);
  instead("DescribeInstances", refusal(403, "InvalidSecurityToken.Expired", `the token ${key.securityToken} has expired`), 9);
  const failure = await provider.list(context).catch((error: unknown) => error);
  expect(failure).toMatchObject({ fault: { kind: "auth" } });
  expect(String(failure)).not.toContain("canary");
});

test("without credentials nothing is sent, and it says what to set", async () => {
  const { another, requests } = await alibabaBench();
  const provider = await another({ ALIBABA_CLOUD_ACCESS_KEY_SECRET: "" });
  await expect(provider.list(context)).rejects.toMatchObject({
    fault: { kind: "auth" },
    message: expect.stringContaining("ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET"),
  });
  expect(requests()).toEqual([]);
});

test("every region is asked at a host of its own", async () => {
  const asked: string[] = [];
  const proxy = createServer((socket) =>
    socket
      .on("error", () => undefined)
      .once("data", (data) => {
        asked.push(String(data).split("\r\n")[0] ?? "");
        socket.end("HTTP/1.1 502 no\r\n\r\n");
      }),
  );
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  const HTTPS_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const env = { ALIBABA_CLOUD_ACCESS_KEY_ID: "id", ALIBABA_CLOUD_ACCESS_KEY_SECRET: "secret", HTTPS_PROXY };
  const ecs = ecsClient({ env, home: "/dev/null", clock: { ...handClock(0), sleep: async () => undefined } });
  const regional = { region: "eu-central-1", action: "DeleteDisk", parameters: {}, answer: doneSchema };
  const central = { region: null, action: "DescribeRegions", parameters: {}, answer: regionList };
  // Nobody is there; the messages name the question.
  await expect(ecs.change(regional, context)).rejects.toMatchObject({ message: expect.stringContaining("DeleteDisk in eu-central-1") });
  await expect(ecs.read(central, context)).rejects.toMatchObject({ message: expect.stringContaining("DescribeRegions was not answered") });
  expect([...new Set(asked)]).toEqual(["CONNECT ecs.eu-central-1.aliyuncs.com:443 HTTP/1.1", "CONNECT ecs.aliyuncs.com:443 HTTP/1.1"]);
});
