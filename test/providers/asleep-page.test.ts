import { readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ASLEEP_ITEMS, type AsleepPrice, type AsleepTerms, asleepRate, type Billed, type Source } from "../../src/model/asleep.ts";
import { moneyText } from "../../src/model/money.ts";
import { createProvider, knownProviders } from "../../src/providers/registry.ts";
import { testWorld } from "../world.ts";

const PAGE = new URL("../../docs/sleep.md", import.meta.url);
const BEGIN =
  "<!-- what follows is written from the tables of the providers; SPOT_WRITE_DOCS=1 npx vitest run test/providers/asleep-page.test.ts -->\n";
const END = "<!-- end -->\n";

const perGb = (price: AsleepPrice) => `${moneyText(asleepRate(price, 100).month)}/month ${price.per === "hour" ? "each" : "for 100 GB"}`;
const words = (value: string) => value.replaceAll("-", " ");
const billedCell = ({ value, price }: Billed) => `${words(value)}${price === undefined ? "" : `, ${perGb(price)}`}`;
const keptCell = ({ value, days }: AsleepTerms["kept"]) => (value === "limited" ? `${days} days` : words(value));

function row(id: string, way: string, { back, memory, billed, kept }: AsleepTerms): string {
  const cells = [
    `\`${id}\``,
    way,
    words(back.value),
    memory.value,
    ...ASLEEP_ITEMS.map((item) => billedCell(billed[item])),
    keptCell(kept),
  ];
  return `| ${cells.join(" | ")} |`;
}

const BY = { vendor: "the vendor", others: "others", inferred: "inferred", spot: "spot itself" } as const;
const said = (what: string, text: string, { document, date, by }: Source) => `- ${what}: ${text} (${document}; ${date}; ${BY[by]})`;
const LABEL = { gpu: "GPU", rootDisk: "root disk", volume: "volume", address: "address" } as const;
const withNote = (text: string, note: string | undefined) => (note === undefined ? text : `${text}; ${note}`);

function statements(way: string, { back, memory, billed, kept }: AsleepTerms): readonly string[] {
  return [
    `\n${way}:\n`,
    said("comes back", withNote(words(back.value), back.note), back.source),
    said("memory", withNote(memory.value, memory.note), memory.source),
    ...ASLEEP_ITEMS.map((item) => said(LABEL[item], withNote(billedCell(billed[item]), billed[item].note), billed[item].source)),
    said("kept", withNote(keptCell(kept), kept.note), kept.source),
  ];
}

async function written(): Promise<string> {
  const rows: string[] = [];
  const details: string[] = [];
  for (const id of knownProviders()) {
    const { native, parked, unused } = (await createProvider(id, testWorld())).capabilities.asleep;
    if (native !== null) rows.push(row(id, "by the cloud", native));
    rows.push(row(id, "parked", parked));
    details.push(`\n### \`${id}\``);
    if (native !== null) details.push(...statements("Hibernated by the cloud", native));
    details.push(...statements("Parked", parked));
    if (unused.length > 0) details.push("\nNot used:\n", ...unused.map(({ what, why, source }) => said(what, why, source)));
  }
  const head = ["provider", "how", "comes back", "memory", "GPU", "root disk", "volume", "address", "kept"];
  return [`| ${head.join(" | ")} |`, `|${head.map(() => "---|").join("")}`, ...rows, ...details, ""].join("\n");
}

test("the page about sleeping says what the tables say", async () => {
  const page = readFileSync(PAGE, "utf8");
  const [before = "", rest = ""] = page.split(BEGIN);
  const [between = "", after = ""] = rest.split(END);
  const wanted = await written();
  if (process.env["SPOT_WRITE_DOCS"] === "1") writeFileSync(PAGE, `${before}${BEGIN}${wanted}${END}${after}`);
  else expect(between).toBe(wanted);
});
