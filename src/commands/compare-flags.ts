import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseDuration } from "../model/duration.ts";
import { usageProblem } from "../model/problem.ts";
import type { Ask, ProfileBlock } from "../pricing/comparison/demand.ts";
import { millionths, type OwnRow, parseOwnRow } from "../pricing/comparison/own-row.ts";
import { DAY_MS, hoursMs } from "../pricing/comparison/tariff.ts";
import type { TokenWay } from "../pricing/comparison/way.ts";
import { parseAmount } from "../pricing/currency.ts";
import type { CommandContext } from "./command.ts";
import { parsedFlag, textFlag } from "./price-flags.ts";

const MILLION = 1_000_000n;

/** A workload, and how it was asked for, for people. */
export interface AskedWork {
  readonly ask: Ask;
  readonly text: string;
}

function positive(flag: string, text: string, most: number): number {
  const amount = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (!(amount > 0 && amount <= most)) throw usageProblem(`${flag}: ${JSON.stringify(text)} is not a number above 0 and up to ${most}`);
  return amount;
}

function counted(amount: number, what: string): string {
  return `${amount} ${what}${amount === 1 ? "" : "s"}`;
}

/** `16x1,8x4`: sixteen hours of each day one machine, eight hours four. */
function profileOf(text: string): readonly ProfileBlock[] {
  const blocks = text.split(",").map((part) => {
    const [, hours, machines] = /^(\d{1,2}(?:\.\d{1,4})?)\s*[x×]\s*(\d{1,4}(?:\.\d{1,6})?)$/i.exec(part.trim()) ?? [];
    if (hours === undefined || machines === undefined || Number(hours) <= 0)
      throw usageProblem(`--profile: ${JSON.stringify(part)} is not HOURSxMACHINES (expected e.g. 16x1,8x4)`);
    return { ms: hoursMs(Number(hours)), machines: BigInt(Math.round(Number(machines) * 1e6)) };
  });
  if (blocks.reduce((sum, { ms }) => sum + ms, 0n) > DAY_MS) throw usageProblem("--profile: a day has 24 hours");
  if (blocks.every(({ machines }) => machines === 0n)) throw usageProblem("--profile: there is nothing to do in it");
  return blocks;
}

/** `250M`, `1.5B`, `300k`, `1000000`. */
function tokensOf(text: string): bigint {
  const [, amount, unit = ""] = /^(\d{1,15}(?:\.\d{1,9})?)([kMBT]?)$/i.exec(text.trim()) ?? [];
  const zeros = { "": 0, k: 3, m: 6, b: 9, t: 12 }[unit.toLowerCase()] ?? 0;
  const tokens = amount === undefined ? 0 : Math.round(Number(amount) * 10 ** zeros);
  if (!(tokens >= 1 && tokens <= 1e15))
    throw usageProblem(`--tokens-per-day: ${JSON.stringify(text)} is not a number of tokens (expected e.g. 250M)`);
  return BigInt(tokens);
}

/** `0.6` or `60%`, in millionths. */
function utilisationOf(text: string): bigint {
  const [, amount = "", percent] = /^(\d{1,3}(?:\.\d{1,6})?)(%?)$/.exec(text.trim()) ?? [];
  const share = percent === "%" ? Number(amount) / 100 : Number(amount);
  const micros = BigInt(Math.round((amount === "" ? 0 : share) * 1e6));
  if (micros <= 0n || micros > MILLION)
    throw usageProblem(`--utilisation: ${JSON.stringify(text)} is not a share above 0 and up to 1 (expected e.g. 0.6 or 60%)`);
  return micros;
}

function dayText(profile: readonly ProfileBlock[]): string {
  return profile
    .map(({ ms, machines }) => `${counted(Number(ms) / 3_600_000, "hour")} × ${counted(Number(machines) / 1e6, "machine")}`)
    .join(", ");
}

/** The workload that the flags describe. @throws Problem (usage). */
export function workloadAsked(context: CommandContext): AskedWork {
  const flag = (key: string) => textFlag(context, key);
  const [hours, perDay, deadline, profileText, tokens] = ["hours", "hoursPerDay", "deadline", "profile", "tokensPerDay"].map(flag);
  const given = Object.entries({ "--hours": hours, "--hours-per-day": perDay, "--profile": profileText }).filter(
    ([, value]) => value !== undefined,
  );
  if (given.length > 1) throw usageProblem(`${given.map(([name]) => name).join(" and ")} exclude each other`);
  if (deadline !== undefined && hours === undefined)
    throw usageProblem("--deadline: it goes with --hours, the job that is to be done by then");
  if (tokens !== undefined && hours !== undefined) throw usageProblem("--hours and --tokens-per-day exclude each other");
  const throughputText = flag("throughput");
  const throughput =
    throughputText === undefined ? null : parsedFlag("--throughput", () => millionths(throughputText, "how many tokens a second"));
  const useText = flag("utilisation");
  if (useText !== undefined && throughputText === undefined)
    throw usageProblem("--utilisation: it goes with --throughput, the tokens a second at full use");
  const utilisation = useText === undefined ? MILLION : utilisationOf(useText);
  const common = { tokensPerDay: tokens === undefined ? null : tokensOf(tokens), throughput, utilisation };
  if (hours !== undefined) {
    const amount = positive("--hours", hours, 100_000);
    const deadlineMs = deadline === undefined ? null : BigInt(parsedFlag("--deadline", () => parseDuration(deadline)));
    const by = deadline === undefined ? "" : ` within ${deadline}`;
    return {
      ask: { ...common, job: { ms: hoursMs(amount), deadlineMs }, profile: null },
      text: `a job of ${counted(amount, "useful hour")}${by}`,
    };
  }
  if (profileText !== undefined) {
    const profile = profileOf(profileText);
    const words = common.tokensPerDay !== null && throughput !== null ? `${tokens} tokens a day, spread as` : "";
    return { ask: { ...common, job: null, profile }, text: `30 days with ${words === "" ? "" : `${words} `}${dayText(profile)} a day` };
  }
  const isBatch = perDay === undefined && common.tokensPerDay !== null;
  const amount = positive("--hours-per-day", perDay ?? "24", 24);
  const profile = perDay === undefined ? null : [{ ms: hoursMs(amount), machines: MILLION }];
  const day = isBatch && throughput !== null ? `${tokens} tokens a day` : `${counted(amount, "useful hour")} a day`;
  const more =
    !isBatch && common.tokensPerDay !== null
      ? `, ${tokens} tokens a day`
      : isBatch && throughput === null
        ? `, ${tokens} tokens a day`
        : "";
  return { ask: { ...common, job: null, profile }, text: `30 days with ${day}${more}` };
}

/** The API that `--token-price` says, paid by the million tokens. @throws Problem (usage). */
export function tokenApi(context: CommandContext): TokenWay | null {
  const text = textFlag(context, "tokenPrice");
  if (text === undefined) return null;
  const perMillion = parsedFlag("--token-price", () => parseAmount(text));
  if (perMillion.micros <= 0n) throw usageProblem(`--token-price: ${text} is not more than zero`);
  return { name: "API", perMillion };
}

/** The rows of `--own`, those of a file behind `@` among them. @throws Problem (usage). */
export async function ownRows({ options, world }: CommandContext): Promise<readonly OwnRow[]> {
  const given: readonly unknown[] = Array.isArray(options["own"]) ? options["own"] : [];
  const lines = await Promise.all(given.map((text) => linesOf(String(text), world.cwd)));
  return lines.flat().map((line) => parsedFlag("--own", () => parseOwnRow(line)));
}

async function linesOf(text: string, cwd: string): Promise<readonly string[]> {
  if (!text.startsWith("@")) return [text];
  const path = resolve(cwd, text.slice(1));
  try {
    const content = await readFile(path, "utf8");
    return content
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "" && !line.startsWith("#"));
  } catch (error) {
    throw usageProblem(`--own: ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}
