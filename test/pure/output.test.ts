import fc from "fast-check";
import { expect, test } from "vitest";
import { usageProblem } from "../../src/model/problem.ts";
import { detailView } from "../../src/output/detail-view.ts";
import { parseOutputFormat, viewText } from "../../src/output/format.ts";
import { listView } from "../../src/output/list-view.ts";
import { lineProgress, silentProgress } from "../../src/output/live-progress.ts";
import { painterFor, plainPainter, wantsColor } from "../../src/output/painter.ts";
import { problemJson, problemText } from "../../src/output/problem-text.ts";
import { fitColumns, tableText } from "../../src/output/table.ts";
import { textWidth, truncate } from "../../src/output/text-width.ts";
import type { View } from "../../src/output/view.ts";

interface Machine {
  readonly name: string;
  readonly zone: string;
  readonly price: string;
  readonly reason: string;
}

const MACHINES: readonly Machine[] = [
  { name: "trainer", zone: "local-east-a", price: "$1.47", reason: "runs" },
  { name: "b", zone: "local-west-a", price: "$13.64", reason: `evil \u001b[2Jscreen\nand ${"long ".repeat(20)}` },
];

function machines(items: readonly Machine[] = MACHINES): View {
  return listView({
    schema: "spot.machines/1",
    items,
    toJson: (machine) => ({ name: machine.name }),
    columns: [
      { key: "name", header: "NAME", value: (machine) => machine.name, paint: (text, _machine, painter) => painter.bold(text) },
      { key: "zone", header: "ZONE", value: (machine) => machine.zone, drop: 2 },
      { key: "price", header: "$/HOUR", value: (machine) => machine.price, align: "right" },
      { key: "reason", header: "REASON", value: (machine) => machine.reason, drop: 1 },
      { key: "id", header: "ID", value: () => "i-1", hidden: true },
    ],
    empty: "No machines.",
  });
}

const paper = (format: string, width = 80, header = true) => ({
  format: parseOutputFormat(format),
  painter: plainPainter,
  width,
  header,
  indent: true,
});

test("a table at 160, 80 and 30 columns: text is cut only after columns have gone", async () => {
  expect(await viewText(machines(), paper("table", 160))).toBe(
    [
      "NAME     ZONE          $/HOUR  REASON",
      "trainer  local-east-a   $1.47  runs",
      `b        local-west-a  $13.64  evil screen and ${"long ".repeat(20).trim()}`,
      "",
    ].join("\n"),
  );
  expect(await viewText(machines([{ ...MACHINES[0], reason: "x".repeat(60) } as Machine]), paper("table", 80))).toBe(
    ["NAME     $/HOUR  REASON", `trainer   $1.47  ${"x".repeat(60)}`, ""].join("\n"),
  );
  expect(await viewText(machines(), paper("table", 30))).toBe(["NAME     $/HOUR", "trainer   $1.47", "b        $13.64", ""].join("\n"));
});

test("without a header, as columns, as JSON, as NDJSON, as YAML", async () => {
  expect(await viewText(machines(MACHINES.slice(0, 1)), paper("table", 80, false))).toBe("trainer  local-east-a  $1.47  runs\n");
  expect(await viewText(machines(), paper("columns=id,name"))).toBe("ID   NAME\ni-1  trainer\ni-1  b\n");
  expect(await viewText(machines(), paper("columns=name", 80, false))).toBe("trainer\nb\n");
  expect(JSON.parse(await viewText(machines(), paper("json")))).toEqual({
    schema: "spot.machines/1",
    data: [{ name: "trainer" }, { name: "b" }],
  });
  expect(await viewText(machines(), paper("ndjson"))).toBe('{"name":"trainer"}\n{"name":"b"}\n');
  expect(await viewText(machines(), paper("yaml"))).toBe("schema: spot.machines/1\ndata:\n  - name: trainer\n  - name: b\n");
});

test("nothing to list: a sentence for people, an empty array for scripts", async () => {
  expect(await viewText(machines([]), paper("table"))).toBe("No machines.\n");
  expect(await viewText(machines([]), paper("ndjson"))).toBe("");
  expect(await viewText(machines([]), paper("columns=name"))).toBe("");
  expect(JSON.parse(await viewText(machines([]), paper("json")))).toEqual({ schema: "spot.machines/1", data: [] });
});

test("a wrong column or format is a usage problem with a suggestion", async () => {
  await expect(viewText(machines(), paper("columns=nam"))).rejects.toMatchObject({ exit: 2, hint: 'did you mean "name"?' });
  expect(() => parseOutputFormat("jsn")).toThrowError(expect.objectContaining({ exit: 2, hint: 'did you mean "json"?' }));
  expect(() => parseOutputFormat("columns=")).toThrowError(expect.objectContaining({ exit: 2 }));
});

test("details: labels in one column, long values wrapped, empty rows and blocks left out", async () => {
  const view = detailView({
    schema: "spot.machine/1",
    data: { name: "trainer" },
    blocks: [
      {
        rows: [
          { label: "Name", value: "trainer" },
          { label: "Zone", value: null },
          { label: "Why", value: "the provider \u001b[31mtook it back because somebody else paid more" },
        ],
      },
      { title: "Empty", rows: [{ label: "Nothing", value: "" }] },
      { title: "Volumes", rows: [{ label: "data", value: ["20 GB", "/data"] }] },
    ],
  });
  expect(await viewText(view, paper("table", 34))).toBe(
    [
      "Name  trainer",
      "Why   the provider took it back",
      "      because somebody else paid",
      "      more",
      "",
      "Volumes",
      "data  20 GB",
      "      /data",
      "",
    ].join("\n"),
  );
});

test("a table of any length is one table: every line stands once, in columns of one width", () => {
  const names = ["a", "机器", "in the middle of it all", "é"];
  for (const length of [0, 1, 99, 100, 101, 350]) {
    // The widest cells come late.
    const rows = Array.from({ length }, (_, index) => [index < 300 ? "a" : (names[index % 4] ?? ""), `$${index ** 2}`, "end"]);
    const columns = [
      { header: "NAME", align: "left", drop: 0 },
      { header: "PAID", align: "right", drop: 0 },
      { header: "LAST", align: "left", drop: 0 },
    ] as const;
    const [head, ...lines] = tableText({ columns, rows }, plainPainter, 80, true).split("\n");
    const widths = [0, 1].map((column) => Math.max(4, ...rows.map((row) => textWidth(row[column] ?? ""))));
    const [name = 0, paid = 0] = widths;
    const line = ([a = "", b = "", c = ""]: readonly string[]) => `${a}${" ".repeat(name - textWidth(a))}  ${b.padStart(paid)}  ${c}`;
    expect(head).toBe(line(["NAME", "PAID", "LAST"]));
    expect(lines).toEqual(rows.map(line));
  }
});

test("no table is wider than the terminal, as long as its last columns can be cut", () => {
  const columns = fc.array(fc.record({ drop: fc.nat({ max: 3 }), natural: fc.integer({ min: 1, max: 60 }) }), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(columns, fc.integer({ min: 20, max: 200 }), (all, width) => {
      const { kept, widths } = fitColumns(
        all,
        all.map(({ natural }) => natural),
        width,
      );
      const total = kept.reduce((sum, index) => sum + (widths[index] ?? 0), 0) + 2 * Math.max(0, kept.length - 1);
      expect(total <= width || kept.every((index) => all[index]?.drop === 0 && (widths[index] ?? 0) <= 8)).toBe(true);
      // Nothing is dropped while a column that should go sooner stays.
      for (const [index, column] of all.entries())
        if (!kept.includes(index)) expect(kept.every((other) => (all[other]?.drop ?? 0) <= column.drop)).toBe(true);
    }),
  );
});

test("a cut text fits and is marked", () => {
  expect(truncate("a long name", 6)).toBe("a lon…");
  expect(truncate("日本語のテスト", 6)).toBe("日本…");
  expect(textWidth("日本e\u0301")).toBe(5);
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 20 }), (text, cells) => {
      expect(textWidth(truncate(text, cells))).toBeLessThanOrEqual(Math.max(cells, 1));
    }),
  );
});

test("colour is decided for each stream by itself", async () => {
  const terminal = { isTTY: true, columns: 80, write: () => {} };
  const pipe = { ...terminal, isTTY: false };
  expect(wantsColor(terminal, {}, true)).toBe(true);
  expect(wantsColor(terminal, { NO_COLOR: "1" }, true)).toBe(false);
  expect(wantsColor(terminal, { NO_COLOR: "" }, true)).toBe(true);
  expect(wantsColor(terminal, { TERM: "dumb" }, true)).toBe(false);
  expect(wantsColor(terminal, {}, false)).toBe(false);
  expect(wantsColor(pipe, {}, true)).toBe(false);
  expect(wantsColor(pipe, { FORCE_COLOR: "1" }, true)).toBe(true);
  expect((await painterFor(terminal, {}, true)).red("x")).toBe("\u001b[31mx\u001b[39m");
  expect((await painterFor(pipe, {}, true)).red("x")).toBe("x");
});

test("an error says what happened, why, and what to run next; scripts get one line", () => {
  const problem = usageProblem("it broke\u001b[2J", "because", ["spot ls", "spot doctor"]);
  expect(problemText(problem, plainPainter)).toBe("error: it broke\n  because\n  next: spot ls\n        spot doctor\n");
  const line = problemJson(problem);
  expect(line.indexOf("\n")).toBe(line.length - 1);
  expect(JSON.parse(line)).toEqual({
    schema: "spot.error/1",
    error: { code: "SPOT_E_USAGE", message: "it broke", hint: "because", next: ["spot ls", "spot doctor"], retryable: false },
  });
});

test("progress without a terminal is plain lines, and silent when quiet but for warnings", () => {
  const lines: string[] = [];
  const stream = { isTTY: false, columns: 80, write: (text: string) => void lines.push(text) };
  const talk = lineProgress(stream, plainPainter);
  talk.step("creating");
  talk.step("creating");
  talk.done("created");
  talk.warn("it costs\u001b[2J");
  expect(lines).toEqual(["creating\n", "created\n", "warning: it costs\n"]);
  lines.length = 0;
  const quiet = silentProgress(stream, plainPainter, true);
  quiet.step("a");
  quiet.note("b");
  quiet.warn("c");
  expect(lines).toEqual(["warning: c\n"]);
});
