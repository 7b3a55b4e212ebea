import { expect, test } from "vitest";
import { spot } from "../world.ts";
import { cloudWorld, data } from "./cloud.ts";

test("--port and --registry-auth arrive in the plan, and are refused when they are none", async () => {
  const world = await cloudWorld();
  const flags = ["--port", "9000/tcp", "--port", "8000", "--registry-auth", "ours"];
  const [line] = await data(world, "up", "--name", "a", "--dry-run", ...flags);
  expect(line.spec).toMatchObject({
    ports: [
      { port: 8000, protocol: "http" },
      { port: 9000, protocol: "tcp" },
    ],
    registryAuth: "ours",
  });
  const twice = await spot(world, "up", "--name", "a", "--port", "80", "--port", "80/tcp");
  expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining("--port: the port 80 is named twice")]);
});

test("a cap in yuan holds for offers in dollars, by the rate that is set", async () => {
  const world = await cloudWorld();
  const plan = (fx: string) =>
    spot(
      { ...world, env: { ...world.env, SPOT_FX_CNY: fx } },
      "up",
      "--name",
      "a",
      "--gpu",
      "4090",
      "--max-price",
      "7CNY",
      "--dry-run",
      "--json",
    );
  const fits = await plan("7");
  expect(fits.code).toBe(0);
  expect(JSON.parse(fits.stdout).data[0].spec.maxPrice).toBe("7CNY");
  const dear = await plan("90");
  expect(dear.code).toBe(3);
  expect(dear.stderr).toContain("every offer that fits costs more than 7CNY an hour");
});
