import { expect, test } from "vitest";
import { deadline } from "../../src/platform/clock.ts";

test("a deadline that is done leaves nothing on a parent that lives on", () => {
  const { signal: parent } = new AbortController();
  let listeners = 0;
  const watched = new Proxy(parent, {
    get(target, key) {
      if (key === "addEventListener") listeners += 1;
      if (key === "removeEventListener") listeners -= 1;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  for (let round = 0; round < 100; round++) deadline(watched, 60_000).done();
  expect(listeners).toBe(0);
});

test("a deadline fires with its parent, before and after, and by itself", async () => {
  expect(deadline(AbortSignal.abort("SIGINT"), 60_000).signal.reason).toBe("SIGINT");
  const own = new AbortController();
  const { signal, done } = deadline(own.signal, 60_000);
  own.abort("SIGTERM");
  expect([signal.aborted, signal.reason]).toEqual([true, "SIGTERM"]);
  done();
  const short = deadline(new AbortController().signal, 5);
  await expect.poll(() => short.signal.aborted).toBe(true);
  expect(short.signal.reason).toMatchObject({ name: "TimeoutError" });
});
