import { expect, test } from "vitest";
import { advisorData, sharesOf } from "../../src/providers/aws/advisor.ts";

const ranges = [
  { index: 0, label: "<5%" },
  { index: 4, label: ">20%" },
];
const read = (spot_advisor: unknown, labels: unknown = ranges) => {
  const text = JSON.stringify({ ranges: labels, spot_advisor });
  return advisorData({ status: 200, headers: {}, text, asked: "GET /advisor", effect: "read" }, 1_700_000_000_000);
};
const good = { Linux: { "g5.xlarge": { r: 0, s: 60 } } };

test("a row that cannot be read costs no other one", () => {
  const rows = { "g4dn.xlarge": { s: 70 }, "g5.xlarge": { r: 0 }, "p5.48xlarge": { r: "4" }, "g6.xlarge": null, "p4d.24xlarge": { r: 4 } };
  const data = read({ "us-east-1": { Linux: rows }, "eu-west-1": { Linux: [] }, "us-west-2": good });
  const share = sharesOf(data);
  expect(Object.keys(data.rows["us-east-1"] ?? {})).toEqual(["g5.xlarge", "p4d.24xlarge"]);
  expect([share("us-east-1", "g5.xlarge")?.atMost, share("us-east-1", "p4d.24xlarge")?.atLeast]).toEqual([0.05, 0.2]);
  expect([share("us-east-1", "g4dn.xlarge"), share("us-east-1", "p5.48xlarge"), share("us-east-1", "g6.xlarge")]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(share("us-west-2", "g5.xlarge")?.atMost).toBe(0.05);
});

test.each<[string, unknown, unknown?]>([
  ["no region", {}],
  ["no type with a GPU", { "us-east-1": { Linux: { "m5.large": { r: 0 } } } }],
  ["no row that can be read", { "us-east-1": { Linux: { "g5.xlarge": { rate: 0 } } } }],
  ["no band of that number", { "us-east-1": { Linux: { "g5.xlarge": { r: 9 } } } }],
  ["no label that is a band", { "us-east-1": good }, [{ index: 0, label: "often" }]],
])("a file with %s takes no place of one that has some", (_, regions, labels = ranges) => {
  expect(() => read(regions, labels)).toThrow("no share of any type with a GPU");
});
