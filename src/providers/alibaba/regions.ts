import { ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { AlibabaWorld, Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import { isRegion } from "./place.ts";
import { allOrNone, type Turns } from "./side-by-side.ts";
import { regionList } from "./wire.ts";

/** Leaves regions out, or names them where DescribeRegions may not be asked. */
export const REGIONS_VARIABLE = "SPOT_ALIBABA_REGIONS";
const KEPT_MS = 60 * 60 * 1000;

export interface Regions {
  all(context: CallContext): Promise<readonly string[]>;
  /** The same question to every region, side by side. Half a list is no list: one region that fails, fails all. */
  everywhere<Row>(context: CallContext, ask: (region: string, context: CallContext) => Promise<readonly Row[]>): Promise<readonly Row[]>;
}

function named(text: string | undefined): readonly string[] | null {
  const names = (text ?? "")
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  if (names.length === 0) return null;
  const wrong = names.find((name) => !isRegion(name));
  if (wrong === undefined) return [...new Set(names)];
  throw new ProviderError(PROVIDER, { kind: "invalid-request" }, `${REGIONS_VARIABLE} names no region: ${JSON.stringify(wrong)}`);
}

export function regionsOf(ecs: Ecs, { env }: Pick<AlibabaWorld, "env">, turn: Turns): Regions {
  let kept: { readonly at: number; readonly names: readonly string[] } | undefined;
  const all = async (context: CallContext): Promise<readonly string[]> => {
    const told = named(env[REGIONS_VARIABLE]);
    if (told !== null) return told;
    if (kept !== undefined && ecs.now() - kept.at < KEPT_MS) return kept.names;
    // The descriptions, which are not read, would be Chinese.
    const call = { region: null, action: "DescribeRegions", parameters: { AcceptLanguage: "en-US" }, answer: regionList };
    const { Regions: found } = await ecs.read(call, context);
    const names = found.Region.map(({ RegionId }) => RegionId).filter(isRegion);
    if (names.length === 0) throw new ProviderError(PROVIDER, { kind: "protocol" }, "DescribeRegions was answered without a region");
    kept = { at: ecs.now(), names };
    return names;
  };
  return {
    all,
    async everywhere(context, ask) {
      const one = (region: string, own: CallContext) =>
        turn(() => ask(region, own)).catch((error: unknown) => {
          throw explained(error, region);
        });
      return (await allOrNone(await all(context), context, one)).flat();
    },
  };
}

/** A region that never answers can be left out, by somebody who knows that nothing is rented there. */
function explained(error: unknown, region: string): unknown {
  if (!(error instanceof ProviderError) || !["auth", "invalid-request", "not-found"].includes(error.fault.kind)) return error;
  const message = `${error.message} [${region}; ${REGIONS_VARIABLE} names the regions to ask]`;
  return new ProviderError(PROVIDER, error.fault, message, error.rawCode, error);
}
