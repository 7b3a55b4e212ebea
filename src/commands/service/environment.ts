import { resolve } from "node:path";
import { SETTING_KEYS } from "../../model/setting-keys.ts";
import { settingVariable } from "../../platform/settings.ts";
import type { World } from "../../platform/world.ts";
import { hasCredentials, searchCredentials } from "../../providers/credential-search.ts";
import { CLOUD_ACCESS, credentialVariables } from "../../providers/credentials.ts";
import { knownProviders } from "../../providers/registry.ts";

type Environment = World["env"];

/** A cloud that works in this shell and would not work in the service, and what to type. */
export interface Unreachable {
  readonly provider: string;
  /** What says the credentials here. */
  readonly variables: readonly string[];
  readonly next: string;
}

/** Says where and as whom a cloud is asked, and is no secret by itself. */
const ABOUT_CLOUDS = [
  "AWS_PROFILE",
  "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "AWS_ROLE_ARN",
  "AWS_ROLE_SESSION_NAME",
  "AWS_REGION",
  "AWS_DEFAULT_REGION",
  "AWS_ENDPOINT_URL_EC2",
  "AWS_USE_DUALSTACK_ENDPOINT",
  "AWS_USE_FIPS_ENDPOINT",
  "AWS_SSH_USER",
  "SPOT_AWS_REGIONS",
  "SPOT_AWS_NOTICE_QUEUE_URL",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GOOGLE_CLOUD_PROJECT",
  "GOOGLE_CLOUD_QUOTA_PROJECT",
  "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
  "CLOUDSDK_CORE_PROJECT",
  "SPOT_ALIBABA_REGIONS",
  "SPOT_ALIBABA_PROTECTION",
  "SPOT_ALIBABA_SSH_USER",
  "HYPERSTACK_SSH_USER",
];
const NETWORK = ["HTTPS_PROXY", "https_proxy", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "NODE_EXTRA_CA_CERTS"];
/** Where the state lies. */
export const STATE = "SPOT_STATE_URL";

/** Variables that name files; the service is at home in another folder. */
const FILES = [
  "AWS_CONFIG_FILE",
  "AWS_SHARED_CREDENTIALS_FILE",
  "AWS_WEB_IDENTITY_TOKEN_FILE",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "NODE_EXTRA_CA_CERTS",
];

/** Whether a value is fit to stand where everybody may read it: an address may have a password in it. */
function isOpen(name: string, value: string): boolean {
  // Whom a database knows by name alone is no secret; whoever stands before the address of a cloud or a proxy may be one.
  const secret = name === STATE ? /:\/\/[^/?#@]*:[^/?#]*@/ : /:\/\/[^/?#]*@/;
  return !secret.test(value) && !/[?&](?:password|sslpassword)=/i.test(value) && !/\p{Cc}/u.test(value);
}

/** The variables of this shell that the service needs as well. Secrets are never among them; those that are missing are `left`. */
export function carriedEnvironment(
  env: Environment,
  cwd: string,
): {
  readonly carried: Readonly<Record<string, string>>;
  readonly left: readonly string[];
} {
  const settings = SETTING_KEYS.filter(({ ofInstance }) => ofInstance === false).map(({ key }) => settingVariable(key));
  const endpoints = CLOUD_ACCESS.map(({ endpoint }) => endpoint.variable);
  const gcp = Object.keys(env).filter((name) => /^SPOT_GCP_[A-Z_]+$/.test(name));
  const names = [...new Set([STATE, ...settings, ...endpoints, ...gcp.sort(), ...ABOUT_CLOUDS, ...NETWORK])];
  const given = names.flatMap((name): readonly (readonly [string, string])[] => {
    const value = env[name]?.trim() ?? "";
    return value === "" ? [] : [[name, FILES.includes(name) ? resolve(cwd, value) : value]];
  });
  const secrets = credentialVariables().filter((name) => !names.includes(name) && (env[name]?.trim() ?? "") !== "");
  return {
    carried: Object.fromEntries(given.filter(([name, value]) => isOpen(name, value))),
    left: [...given.filter(([name, value]) => !isOpen(name, value)).map(([name]) => name), ...secrets],
  };
}

/** The clouds whose credentials are there for us and would not be there for a service with that environment. */
export async function unreachableClouds(world: Pick<World, "env" | "home">, service: Environment): Promise<readonly Unreachable[]> {
  const known = CLOUD_ACCESS.filter(({ provider }) => knownProviders().includes(provider));
  const found = await Promise.all(
    known.map(async (access): Promise<readonly Unreachable[]> => {
      if (!(await hasCredentials(access, world)) || (await hasCredentials(access, { env: service, home: world.home }))) return [];
      const here = await searchCredentials(access, world);
      const variables = here.filter(({ from }) => from === "environment").map(({ variable }) => variable);
      const next = access.chain === undefined ? `spot provider login ${access.provider}` : access.chain.login;
      return [{ provider: access.provider, variables, next }];
    }),
  );
  return found.flat();
}
