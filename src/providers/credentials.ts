/** What a cloud wants to know before it answers, and where it answers. Data only: reading it loads no adapter. */
export interface CloudAccess {
  readonly provider: string;
  /** The cloud's name for people. */
  readonly title: string;
  /** Environment variables that hold the credentials; all are needed. Stored credentials use the same names. */
  readonly variables: readonly string[];
  /** The variable that moves the endpoint, and where it is otherwise. */
  readonly endpoint: { readonly variable: string; readonly url: string };
  /** Where a person gets them. */
  readonly obtain: string;
}

export const CLOUD_ACCESS: readonly CloudAccess[] = [
  {
    provider: "ppio",
    title: "PPIO",
    variables: ["PPIO_API_KEY"],
    endpoint: { variable: "PPIO_API_URL", url: "https://api.ppio.com" },
    obtain: "ppio.com, console, API keys",
  },
  {
    provider: "novita",
    title: "Novita AI",
    variables: ["NOVITA_API_KEY"],
    endpoint: { variable: "NOVITA_API_URL", url: "https://api.novita.ai" },
    obtain: "novita.ai, settings, key management",
  },
  {
    provider: "hyperstack",
    title: "Hyperstack",
    variables: ["HYPERSTACK_API_KEY"],
    endpoint: { variable: "HYPERSTACK_API_URL", url: "https://infrahub-api.nexgencloud.com/v1" },
    obtain: "console.hyperstack.cloud, API keys",
  },
  {
    provider: "verda",
    title: "Verda",
    variables: ["VERDA_CLIENT_ID", "VERDA_CLIENT_SECRET"],
    endpoint: { variable: "VERDA_API_URL", url: "https://api.verda.com/v1" },
    obtain: "console.verda.com, keys, cloud API credentials",
  },
];

/** @throws RangeError for a provider without credentials. */
export function accessOf(provider: string): CloudAccess {
  const found = CLOUD_ACCESS.find((access) => access.provider === provider);
  if (found === undefined) throw new RangeError(`${provider} takes no credentials`);
  return found;
}
