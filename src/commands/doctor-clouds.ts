import { expiryText } from "../fleet/credential-expiry.ts";
import { accountText } from "../model/account.ts";
import { durationText } from "../model/duration.ts";
import { deadline } from "../platform/clock.ts";
import { fileMode } from "../platform/machine.ts";
import { credentialsFile, storedCredentials } from "../platform/secrets.ts";
import type { World } from "../platform/world.ts";
import { cloudHttp } from "../providers/cloud-http.ts";
import type { CloudAccess } from "../providers/credentials.ts";
import { isFault } from "../providers/errors.ts";
import type { CredentialExpiry, Provider } from "../providers/provider.ts";
import { bad, doubtful, type Finding, fine, said, type Verdict } from "./doctor-verdict.ts";

/** A cloud that `doctor` asks. */
export interface AskedCloud {
  readonly access: CloudAccess;
  /** Variables without a value. */
  readonly missing: readonly string[];
  provider(): Promise<Pick<Provider, "list" | "credentials">>;
}

type CloudWorld = Pick<World, "env" | "clock" | "signal">;

const ANSWER_MS = 15_000;
/** Beyond this the times of notices and bills stop making sense to people; adapters correct for it. */
const SKEW_MS = 30_000;
const ROUGHLY_MS = 5_000;

/** Asks all clouds at once, each with a deadline of its own. A cloud that fails is a finding, never an error. */
export async function cloudFindings(clouds: readonly AskedCloud[], world: CloudWorld, withinMs = ANSWER_MS): Promise<readonly Finding[]> {
  const found = await Promise.all(
    clouds.map(async (cloud) => ({ check: cloud.access.provider, ...(await cloudVerdict(cloud, world, withinMs)) })),
  );
  world.signal.throwIfAborted();
  return found;
}

async function cloudVerdict(cloud: AskedCloud, world: CloudWorld, withinMs: number): Promise<Verdict> {
  const { access, missing } = cloud;
  const login = `spot provider login ${access.provider}`;
  if (missing.length > 0) return bad(`${missing.join(" and ")} missing`, login);
  const limit = deadline(world.signal, withinMs);
  try {
    const [listed, aheadMs] = await Promise.all([timedList(cloud, world, limit.signal), aheadOf(access, world, limit.signal)]);
    const clock = clockText(aheadMs);
    if (listed.error !== undefined) {
      const isRefused = isFault(listed.error, "auth");
      const what = isRefused ? `refuses the credentials: ${said(listed.error)}` : `does not answer as it should: ${said(listed.error)}`;
      return bad(
        [what, clock].filter((text) => text !== "").join("; "),
        isRefused ? `${login} (${access.obtain})` : `check the network and ${access.endpoint.variable}, then try again`,
      );
    }
    const { account, expiry } = await identityOf(cloud, world, limit.signal);
    const detail = `credentials accepted${account === null ? "" : `, account ${account}`}, ${listed.instances} instance${listed.instances === 1 ? "" : "s"}, answered in ${listed.ms} ms`;
    if (clock !== "") return doubtful(`${detail}; ${clock}`, "set this machine's clock: deadlines are reckoned with it");
    if (expiry?.renews === false)
      return doubtful(
        `${detail}; its credentials: ${expiryText(expiry, world.clock.now())}`,
        "machines that outlast them cannot be ended: log in again in time, or use credentials that last",
      );
    return fine(detail);
  } finally {
    limit.done();
  }
}

/** What can be said about them; what cannot be said is no fault. */
async function identityOf(
  cloud: AskedCloud,
  { signal: stop }: CloudWorld,
  signal: AbortSignal,
): Promise<{ readonly account: string | null; readonly expiry: CredentialExpiry | null }> {
  const { credentials } = await cloud.provider();
  const [account, expiry] = await Promise.all([
    credentials?.account({ signal }).catch(() => null),
    credentials?.expiry({ signal }).catch(() => null),
  ]);
  stop.throwIfAborted();
  return { account: account == null ? null : accountText(account), expiry: expiry ?? null };
}

interface Listed {
  readonly instances: number;
  readonly ms: number;
  readonly error?: unknown;
}

async function timedList(cloud: AskedCloud, { clock }: CloudWorld, signal: AbortSignal): Promise<Listed> {
  const start = clock.monotonic();
  try {
    const instances = (await (await cloud.provider()).list({ signal })).length;
    return { instances, ms: Math.round(clock.monotonic() - start) };
  } catch (error) {
    return { instances: 0, ms: Math.round(clock.monotonic() - start), error: signal.aborted ? signal.reason : error };
  }
}

/** How far the server's clock is ahead of ours, in milliseconds, by the Date of any answer; 0 when it agrees or says nothing. */
async function aheadOf({ provider, endpoint }: CloudAccess, { env, clock }: CloudWorld, signal: AbortSignal): Promise<number> {
  const http = cloudHttp({
    provider,
    baseUrl: env[endpoint.variable] || endpoint.url,
    clock,
    env,
    // Without credentials: whatever is answered carries the time.
    headers: () => ({}),
    secrets: () => [],
  });
  try {
    await http.send({ method: "GET", path: "/", effect: "read", signal });
  } catch {
    // A server that redirects has told its time; one that does not answer is told of by the list.
  }
  const offset = http.clockOffsetMs();
  await http.close();
  return offset;
}

function clockText(aheadMs: number): string {
  if (Math.abs(aheadMs) < SKEW_MS) return "";
  // The header has whole seconds, and took its time to come.
  const about = Math.round(Math.abs(aheadMs) / ROUGHLY_MS) * ROUGHLY_MS;
  return `its clock is ${durationText(about)} ${aheadMs > 0 ? "ahead of" : "behind"} ours`;
}

/** Whether the stored credentials can be read, and by nobody else. */
export async function credentialsVerdict({ home }: Pick<World, "home">): Promise<Verdict> {
  const file = credentialsFile(home);
  try {
    const names = Object.keys(await storedCredentials(home));
    if (names.length === 0) return fine("none stored");
    const mode = await fileMode(file);
    if ((mode & 0o077) !== 0) return doubtful(`others may read ${file}`, `chmod 600 ${file}`);
    return fine(`${names.length} stored in ${file}`);
  } catch (error) {
    return bad(said(error), `mv ${file} ${file}.damaged, then spot provider login`);
  }
}
