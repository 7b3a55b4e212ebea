import type { Command } from "commander";
import { type Account, accountText } from "../../model/account.ts";
import { durationText } from "../../model/duration.ts";
import { isoTime } from "../../output/json.ts";
import { listView } from "../../output/list-view.ts";
import { deadline } from "../../platform/clock.ts";
import type { World } from "../../platform/world.ts";
import { type CredentialOrigin, searchCredentials } from "../../providers/credential-search.ts";
import { CLOUD_ACCESS } from "../../providers/credentials.ts";
import type { Capabilities, CredentialExpiry, Provider } from "../../providers/provider.ts";
import { knownProviders } from "../../providers/registry.ts";
import type { CommandContext, CommandModule, CommandResult } from "../command.ts";

type CredentialsFrom = "environment" | "stored" | "environment and stored" | "file" | "none needed" | "missing";

interface ProviderRow {
  readonly provider: string;
  readonly title: string;
  readonly configured: boolean;
  readonly credentials: {
    readonly from: CredentialsFrom;
    readonly variables: readonly CredentialOrigin[];
  };
  /** Null for the embedded cloud, which has no address. */
  readonly endpoint: { readonly url: string; readonly from: "default" | "environment"; readonly variable: string } | null;
  readonly capabilities: Capabilities;
  /** Whose the credentials are and how long they last, where they are there and the cloud says; null otherwise. */
  readonly account: Account | null;
  readonly expiry: CredentialExpiry | null;
}

/** `spot provider ls`: what is configured, whose it is, and what each cloud can do. Asks the configured clouds for no more than that. */
export const providerLs: CommandModule = {
  configure(_command: Command) {},
  async run(context: CommandContext): Promise<CommandResult> {
    const rows = await Promise.all(
      knownProviders().map(async (id) => {
        const provider = await context.provider(id);
        const row = await rowOf(id, provider.capabilities, context.world);
        return { ...row, ...(row.configured ? await identityOf(provider, context) : { account: null, expiry: null }) };
      }),
    );
    const view = listView<ProviderRow>({
      schema: "spot.providers/1",
      items: rows,
      toJson: rowJson,
      columns: [
        { key: "provider", header: "PROVIDER", value: ({ provider }) => provider, paint: (text, _, painter) => painter.bold(text) },
        { key: "title", header: "NAME", value: ({ title }) => title, drop: 5 },
        {
          key: "credentials",
          header: "CREDENTIALS",
          value: credentialsText,
          paint: (text, { configured }, painter) => (configured ? painter.green(text) : painter.dim(text)),
        },
        { key: "account", header: "ACCOUNT", value: ({ account }) => (account === null ? "" : accountText(account)), drop: 2 },
        { key: "expiry", header: "EXPIRES", value: ({ expiry }) => expiresText(expiry, context.world.clock.now()), drop: 3 },
        { key: "notice", header: "NOTICE", value: ({ capabilities }) => secondsText(capabilities.noticeSeconds), drop: 1 },
        { key: "protection", header: "PROTECTED", value: ({ capabilities }) => secondsText(capabilities.protectionSeconds), drop: 2 },
        { key: "hibernate", header: "HIBERNATION", value: ({ capabilities }) => HIBERNATION[capabilities.hibernate], drop: 3 },
        { key: "endpoint", header: "ENDPOINT", value: endpointText, drop: 4 },
      ],
      empty: "",
      footer: "spot provider login NAME keeps credentials; spot doctor tries them. Without credentials of any cloud, local is asked.",
    });
    return { view };
  },
};

const ANSWER_MS = 5_000;
const HIBERNATION = { native: "native", park: "parks: disk kept, new machine" } as const;

/** One that does not answer in time, or may not, is shown without. */
async function identityOf({ credentials }: Provider, { world }: CommandContext): Promise<Pick<ProviderRow, "account" | "expiry">> {
  const limit = deadline(world.signal, ANSWER_MS);
  const { signal } = limit;
  const [account, expiry] = await Promise.all([
    credentials?.account({ signal }).catch(() => null),
    credentials?.expiry({ signal }).catch(() => null),
  ]);
  limit.done();
  world.signal.throwIfAborted();
  return { account: account ?? null, expiry: expiry ?? null };
}

function expiresText(expiry: CredentialExpiry | null, now: number): string {
  if (expiry === null) return "";
  if (expiry.expiresAt !== null)
    return `${expiry.expiresAt <= now ? "expired" : durationText(expiry.expiresAt - now)}${expiry.renews ? ", renews" : ""}`;
  return expiry.renews ? "never" : "?";
}

async function rowOf(provider: string, capabilities: Capabilities, world: World): Promise<Omit<ProviderRow, "account" | "expiry">> {
  const access = CLOUD_ACCESS.find((candidate) => candidate.provider === provider);
  if (access === undefined) {
    const credentials = { from: "none needed", variables: [] } as const;
    return { provider, title: "embedded cloud", configured: true, credentials, endpoint: null, capabilities };
  }
  const variables = await searchCredentials(access, world);
  const { variable, url } = access.endpoint;
  const moved = world.env[variable]?.trim() ?? "";
  return {
    provider,
    title: access.title,
    configured: variables.every(({ from }) => from !== null),
    credentials: { from: fromOf(variables.map(({ from }) => from)), variables },
    endpoint: moved === "" ? { url, from: "default", variable } : { url: withoutUser(moved), from: "environment", variable },
    capabilities,
  };
}

function fromOf(origins: readonly CredentialOrigin["from"][]): CredentialsFrom {
  if (origins.includes(null)) return "missing";
  if (origins.includes("file")) return "file";
  if (!origins.includes("stored")) return "environment";
  return origins.includes("environment") ? "environment and stored" : "stored";
}

/** An address may carry a name and a password; they are nobody's business here. */
function withoutUser(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/@]*@/i, "$1");
}

function credentialsText({ credentials: { from, variables } }: ProviderRow): string {
  if (from === "file") return variables.map(({ variable }) => variable).join(", ");
  if (from !== "missing") return from;
  const missing = variables.filter((one) => one.from === null).map(({ variable }) => variable);
  return `missing: ${missing.join(", ")}`;
}

function endpointText({ endpoint }: ProviderRow): string {
  if (endpoint === null) return "this machine";
  return endpoint.from === "default" ? endpoint.url : `${endpoint.url} (${endpoint.variable})`;
}

const secondsText = (seconds: number) => (seconds === 0 ? "none" : durationText(seconds * 1000));

function rowJson({ capabilities, expiry, ...row }: ProviderRow) {
  const { noticeSeconds, protectionSeconds, hibernate, volumes, keepsRoot, retainsAddress, machine, whyNoStop } = capabilities;
  return {
    ...row,
    expiry: expiry === null ? null : { ...expiry, expiresAt: isoTime(expiry.expiresAt) },
    capabilities: { noticeSeconds, protectionSeconds, hibernate, volumes, keepsRoot, retainsAddress, machine: machine.kind, whyNoStop },
  };
}
