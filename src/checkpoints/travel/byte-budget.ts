/** So many bytes may be held in memory at once, by whoever shares it. */
export interface ByteBudget {
  /** Waits for room, in the order of asking. More than there is at all is granted when nobody else holds any. */
  take(bytes: number): Promise<void>;
  give(bytes: number): void;
}

export function byteBudget(most: number): ByteBudget {
  let held = 0;
  const waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  const admit = () => {
    for (let next = waiting[0]; next !== undefined && (held === 0 || held + next.bytes <= most); next = waiting[0]) {
      waiting.shift();
      held += next.bytes;
      next.go();
    }
  };
  return {
    take: (bytes) =>
      new Promise((resolve) => {
        waiting.push({ bytes, go: resolve });
        admit();
      }),
    give(bytes) {
      held -= bytes;
      admit();
    },
  };
}
