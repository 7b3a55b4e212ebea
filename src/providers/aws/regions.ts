import { DescribeRegionsCommand } from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER } from "./codes.ts";
import { isRegion } from "./ids.ts";
import { rowsOf } from "./pages.ts";

export interface Regions {
  /** Where anything of ours may be: those that the account has, or those that `SPOT_AWS_REGIONS` names. */
  all(context: CallContext): Promise<readonly string[]>;
  /** Does it in every region, side by side. Fails when one of them fails: half of an account is none. */
  each<Result>(context: CallContext, work: (region: string) => Promise<Result>, only?: readonly string[]): Promise<readonly Result[]>;
  /** Where is asked what is the same everywhere. */
  home(): string;
}

const KEPT_MS = 3_600_000;

/** @throws ProviderError `invalid-request` for a name that is none. */
function chosen(text: string | undefined): readonly string[] | undefined {
  const names = (text ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const wrong = names.find((name) => !isRegion(name));
  if (wrong !== undefined)
    throw new ProviderError(PROVIDER, { kind: "invalid-request" }, `SPOT_AWS_REGIONS names ${JSON.stringify(wrong)}, which is no region`);
  return names.length === 0 ? undefined : [...new Set(names)];
}

/** Organisations close regions to their accounts; then the account has them and may not ask there. */
function closed(error: unknown, region: string): unknown {
  if (!(error instanceof ProviderError) || !isFault(error, "auth")) return error;
  const hint = `; where ${region} is closed to this account, SPOT_AWS_REGIONS=… names the regions to use`;
  return new ProviderError(PROVIDER, error.fault, `${error.message}${hint}`, error.rawCode, error.cause);
}

export function regions(api: Api): Regions {
  let kept: { readonly names: readonly string[]; readonly at: number } | undefined;
  const home = () => chosen(api.env["SPOT_AWS_REGIONS"])?.[0] ?? (api.env["AWS_REGION"] || api.env["AWS_DEFAULT_REGION"] || "us-east-1");
  const all = async (context: CallContext) => {
    const named = chosen(api.env["SPOT_AWS_REGIONS"]);
    if (named !== undefined) return named;
    if (kept !== undefined && api.now() - kept.at < KEPT_MS) return kept.names;
    const { Regions: found } = await api.ask(home(), context, (ec2, options) => ec2.send(new DescribeRegionsCommand({}), options));
    const names = rowsOf("regions", found).flatMap(({ RegionName, OptInStatus }) =>
      RegionName === undefined || OptInStatus === "not-opted-in" || !isRegion(RegionName) ? [] : [RegionName],
    );
    if (names.length === 0) throw new ProviderError(PROVIDER, { kind: "protocol" }, "the account has no region");
    kept = { names, at: api.now() };
    return names;
  };
  return {
    all,
    home,
    async each(context, work, only) {
      const names = await all(context);
      const asked = only === undefined || only.length === 0 ? names : names.filter((name) => only.includes(name));
      return Promise.all(
        asked.map((region) =>
          work(region).catch((error: unknown) => {
            throw asked.length > 1 ? closed(error, region) : error;
          }),
        ),
      );
    },
  };
}
