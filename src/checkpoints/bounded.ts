/** Works on every item, at most `atOnce` at a time. The first failure ends it, when the ones under way have ended. */
export async function eachOf<T>(items: readonly T[], atOnce: number, work: (item: T, index: number) => Promise<void>): Promise<void> {
  const queue = items.entries();
  const line = async () => {
    for (const [index, item] of queue) await work(item, index);
  };
  const ended = await Promise.allSettled(Array.from({ length: Math.min(atOnce, items.length) }, line));
  for (const result of ended) if (result.status === "rejected") throw result.reason;
}
