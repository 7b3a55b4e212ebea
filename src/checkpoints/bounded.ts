/** Works on every item, at most `atOnce` at a time. The first failure ends it, when the ones under way have ended. */
export async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T, index: number) => Promise<void>): Promise<void> {
  const queue = items.entries();
  let hasFailed = false;
  const line = async () => {
    for (const [index, item] of queue) {
      if (hasFailed) return;
      await work(item, index).catch((error: unknown) => {
        hasFailed = true;
        throw error;
      });
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, line));
  for (const result of ended) if (result.status === "rejected") throw result.reason;
}
