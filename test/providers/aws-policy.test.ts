import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { PACKAGE_ROOT } from "../world.ts";

test("the policy in the document allows what is called, and no more", () => {
  const text = readFileSync(join(PACKAGE_ROOT, "docs", "providers", "aws.md"), "utf8");
  const policy = JSON.parse(/```json\n([\s\S]*?)```/.exec(text)?.[1] ?? "") as { Statement: { Action: string | string[] }[] };
  const allowed = policy.Statement.flatMap(({ Action }) => Action);
  const folder = join(PACKAGE_ROOT, "src", "providers", "aws");
  const source = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  const called = [...source.join("\n").matchAll(/new (?:sdk\.)?(\w+)Command\(/g)].map(([, name = ""]) => name);
  const messages: Readonly<Record<string, string>> = { ReceiveMessage: "sqs:ReceiveMessage", DeleteMessageBatch: "sqs:DeleteMessage" };
  const wanted = [
    ...called.map((name) => messages[name] ?? `ec2:${name}`),
    // Tags at creation, the price list, and spot for the first time in an account.
    ...["ec2:CreateTags", "pricing:GetProducts", "iam:CreateServiceLinkedRole"],
  ];
  expect([...new Set(wanted)].toSorted()).toEqual(allowed.toSorted());
});
