import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import * as undici from "undici";
import { isMissing } from "../../missing-program.ts";
import { type Keys, signedHeaders } from "./sigv4.ts";
import { SITE_CUSTOMIZE } from "./site-customize.ts";
import { parseXml, textAt } from "./xml.ts";

/** moto_server's answer; headers in lower case. */
export interface MotoAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

export interface MotoRequest {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An account at moto: a user who may use EC2 and SQS, and one of ours who may do everything. */
export interface MotoAccount {
  readonly id: string;
  /** moto itself, without the proxy. */
  readonly url: string;
  readonly user: Keys;
  readonly admin: Keys;
  /** Sends a request as it is. */
  send(request: MotoRequest): Promise<MotoAnswer>;
  /** The account may be given to somebody else. Whoever had it has ended what it made. */
  free(): void;
}

export interface TemporaryKeys extends Keys {
  readonly sessionToken: string;
}

/** A moto_server that runs. It ends with this process, whose pipe it lives by. */
export interface Moto {
  readonly port: number;
  readonly child: ChildProcess;
  readonly idle: MotoAccount[];
  accounts: number;
}

const PROGRAM = "moto_server";
const START_MS = 60_000;
const NO_AUTH_FOR_NOW = "1000000";

/** False where moto is not installed; whoever needs an EC2 then skips, and says so. */
export function motoAvailable(): boolean {
  // Through the shell alone: moto itself takes most of a second to start.
  if (spawnSync("/bin/sh", ["-c", `command -v ${PROGRAM}`]).status === 0) return true;
  isMissing(PROGRAM, "an EC2 to test against (pip install 'moto[server]==5.2.1')");
  return false;
}

/** By undici, as the clients themselves: so a virtual clock stands still while moto is asked, whoever asks. */
async function send(port: number, { method, path, headers, body }: MotoRequest): Promise<MotoAnswer> {
  const answer = await undici.request(`http://127.0.0.1:${port}${path}`, { method: method as "POST", headers, body });
  const given = Object.entries(answer.headers).map(([name, value]) => [name, String(value)] as const);
  return { status: answer.statusCode, headers: Object.fromEntries(given), text: await answer.body.text() };
}

export async function startMoto(more: Readonly<Record<string, string>> = {}): Promise<Moto> {
  // Written out, so that it is found from a bundle too: without it moto would outlive us.
  const folder = mkdtempSync(join(tmpdir(), "spot-moto-"));
  writeFileSync(join(folder, "sitecustomize.py"), SITE_CUSTOMIZE);
  const child = spawn(PROGRAM, ["-H", "127.0.0.1", "-p", "0"], {
    // The pipe to its stdin is what it lives by: see site-customize.ts.
    stdio: ["pipe", "ignore", "pipe"],
    env: {
      ...process.env,
      SPOT_TEST_MOTO: "1",
      PYTHONPATH: [folder, ...(process.env["PYTHONPATH"] ?? "").split(delimiter).filter((one) => one !== "")].join(delimiter),
      PYTHONDONTWRITEBYTECODE: "1",
      INITIAL_NO_AUTH_ACTION_COUNT: NO_AUTH_FOR_NOW,
      // A second of every start; the images are the proxy's.
      MOTO_EC2_LOAD_DEFAULT_AMIS: "false",
      MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION: "true",
      MOTO_ENABLE_KEYPAIR_VALIDATION: "true",
      ...more,
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    let said = "";
    const late = setTimeout(() => reject(new Error(`${PROGRAM} does not start: ${said}`)), START_MS);
    child.on("error", reject);
    child.on("exit", (code) => reject(new Error(`${PROGRAM} ended with ${code}: ${said}`)));
    child.stderr?.on("data", (chunk: Buffer) => {
      if (said.length < 5_000) said += chunk.toString("utf8");
      const match = /Running on http:\/\/127\.0\.0\.1:(\d+)/.exec(said);
      if (match === null) return;
      clearTimeout(late);
      resolve(Number(match[1]));
    });
  });
  rmSync(folder, { recursive: true });
  child.unref();
  for (const pipe of [child.stdin, child.stderr]) (pipe as unknown as { unref(): void }).unref();
  return { port, child, idle: [], accounts: 0 };
}

const POLICIES = {
  spot: [
    "ec2:*",
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:DeleteMessageBatch",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "pricing:*",
  ],
  admin: ["*"],
};

async function makeUser(port: number, account: string, name: keyof typeof POLICIES): Promise<Keys> {
  const iam = async (parameters: Readonly<Record<string, string>>) => {
    const headers = {
      "content-type": "application/x-www-form-urlencoded",
      "x-moto-account-id": account,
      authorization: "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0",
    };
    const body = new URLSearchParams({ Version: "2010-05-08", UserName: name, ...parameters }).toString();
    const answer = await send(port, { method: "POST", path: "/", headers, body });
    if (answer.status !== 200) throw new Error(`moto's IAM: ${answer.status} ${answer.text.slice(0, 500)}`);
    return parseXml(answer.text.slice(answer.text.indexOf("<", answer.text.indexOf("?>"))));
  };
  await iam({ Action: "CreateUser" });
  const document = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: POLICIES[name], Resource: "*" }] };
  await iam({ Action: "PutUserPolicy", PolicyName: name, PolicyDocument: JSON.stringify(document) });
  const made = await iam({ Action: "CreateAccessKey" });
  const key = (part: string) => textAt(made, "CreateAccessKeyResult", "AccessKey", part);
  const keys = { accessKeyId: key("AccessKeyId"), secretAccessKey: key("SecretAccessKey") };
  if (!keys.secretAccessKey.startsWith("canary-")) throw new Error("moto did not heed sitecustomize.py, and would outlive us");
  return keys;
}

async function makeAccount(moto: Moto): Promise<MotoAccount> {
  moto.accounts += 1;
  const id = String(210_000_000_000 + moto.accounts);
  const authAfter = (count: string) => send(moto.port, { method: "POST", path: "/moto-api/reset-auth", headers: {}, body: count });
  await authAfter(NO_AUTH_FOR_NOW);
  const user = await makeUser(moto.port, id, "spot");
  const admin = await makeUser(moto.port, id, "admin");
  await authAfter("0");
  const account: MotoAccount = {
    id,
    url: `http://127.0.0.1:${moto.port}`,
    user,
    admin,
    send: (request) => send(moto.port, request),
    free: () => void moto.idle.push(account),
  };
  return account;
}

/**
 * The one moto of this process, and who uses it: to start takes a second, and a fake cloud lives for a few milliseconds.
 * It ends with the process, which holds the pipe that it lives by.
 */
const running: { moto: Promise<Moto> | undefined; turn: Promise<unknown> } = { moto: undefined, turn: Promise.resolve() };

/** An account that nobody else uses; those that were used before are used again, since a new one costs 60 ms a region. */
export function leaseAccount(): Promise<MotoAccount> {
  const next = running.turn.then(async () => {
    running.moto ??= startMoto();
    const moto = await running.moto;
    return moto.idle.pop() ?? (await makeAccount(moto));
  });
  running.turn = next.catch(() => undefined);
  return next;
}

/** A call of EC2 (or of another query API) in the account's own name. */
export function adminCall(
  account: MotoAccount,
  host: string,
  { region, service = "ec2" }: { readonly region: string; readonly service?: string },
  parameters: Readonly<Record<string, string>> | URLSearchParams,
): Promise<MotoAnswer> {
  // moto checks the signature against a form of its own making, in which a star is escaped.
  const body = new URLSearchParams(parameters).toString().replaceAll("*", "%2A");
  const headers = { host, "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
  return account.send({
    method: "POST",
    path: "/",
    headers: signedHeaders({ path: "/", headers, body }, { region, service }, account.admin, Date.now()),
    body,
  });
}

const ANYBODY = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Principal: { AWS: "*" }, Action: "sts:AssumeRole" }] };

/** Temporary credentials with the rights of the user; moto checks them with their token. */
export async function assumeRole(account: MotoAccount, host: string): Promise<TemporaryKeys> {
  const call = async (service: string, Version: string, parameters: Readonly<Record<string, string>>) => {
    const given = await adminCall(account, host, { region: "us-east-1", service }, { Version, ...parameters });
    if (given.status !== 200 && !given.text.includes("EntityAlreadyExists"))
      throw new Error(`moto: ${given.status} ${given.text.slice(0, 500)}`);
    return parseXml(given.text);
  };
  const policy = { Version: "2012-10-17", Statement: [{ Effect: "Allow", Action: POLICIES.spot, Resource: "*" }] };
  const [iam, RoleName] = ["2010-05-08", "spot"];
  await call("iam", iam, { Action: "CreateRole", RoleName, AssumeRolePolicyDocument: JSON.stringify(ANYBODY) });
  await call("iam", iam, { Action: "PutRolePolicy", RoleName, PolicyName: "spot", PolicyDocument: JSON.stringify(policy) });
  const RoleArn = `arn:aws:iam::${account.id}:role/${RoleName}`;
  const made = await call("sts", "2011-06-15", { Action: "AssumeRole", RoleArn, RoleSessionName: "session" });
  const key = (part: string) => textAt(made, "AssumeRoleResult", "Credentials", part);
  return { accessKeyId: key("AccessKeyId"), secretAccessKey: key("SecretAccessKey"), sessionToken: key("SessionToken") };
}
