import { afterAll, afterEach, beforeEach, describe, test } from "vitest";
import { benchOf } from "./bench.ts";
import type { ConformanceCase } from "./suite.ts";
import type { Wired } from "./wire-bench.ts";
import { changeRows } from "./wire-changes.ts";
import { readRows } from "./wire-reads.ts";
import { secretRows } from "./wire-secrets.ts";

/** One thing that goes wrong between a provider and its cloud, and what must come of it. */
export interface Row {
  readonly title: string;
  run(wired: Wired): Promise<void>;
  /** Which providers it is for; all of them unless told. */
  readonly onlyFor?: (subject: ConformanceCase) => boolean;
}

const ROWS = { ...readRows, ...changeRows, ...secretRows } satisfies Readonly<Record<string, Row>>;

/** The short name of a row, by which a provider can be exempted from it. */
export type WireRow = keyof typeof ROWS;

/** What every provider must make of a bad day on the wire. */
export function badDays(subject: ConformanceCase): void {
  describe(`${subject.name} on a bad day`, () => {
    let wired: Wired | undefined;
    let ran = 0;
    const exempt = new Map(Object.entries(subject.wireExempt ?? {}));
    beforeEach(async () => {
      const under = await subject.make();
      wired = { ...(await benchOf(under)), wire: under.wire };
    });
    afterEach(async () => {
      wired?.wire.server.calm();
      await wired?.close();
      wired = undefined;
    });
    for (const [name, row] of Object.entries<Row>(ROWS)) {
      if (row.onlyFor !== undefined && !row.onlyFor(subject)) continue;
      const reason = exempt.get(name);
      if (reason !== undefined) test.skip(`${name}: ${row.title} (cannot apply: ${reason})`, () => undefined);
      else
        test(`${name}: ${row.title}`, async () => {
          if (wired === undefined) throw new Error("there is no wire");
          await row.run(wired);
          ran += 1;
        });
    }
    afterAll(() => {
      process.stdout.write(`wire: ${subject.name} kept the port in ${ran} of ${Object.keys(ROWS).length} rows\n`);
    });
  });
}
