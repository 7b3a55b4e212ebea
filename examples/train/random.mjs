/**
 * Marsaglia's xorshift32 (Journal of Statistical Software 8(14), 2003). Its whole state is one 32-bit integer,
 * which is why it is easy to put into a checkpoint. `Math.random` has a state that nobody can save.
 */
export function createRandom(state) {
  let x = state >>> 0;
  return {
    /** A float in [0, 1). */
    next() {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      x >>>= 0;
      return x / 4294967296;
    },
    state: () => x,
  };
}

/** Spreads a small seed over all 32 bits; xorshift must never stand at zero. */
export function stateFromSeed(seed) {
  const mixed = Math.imul((seed >>> 0) ^ 0x9e3779b9, 0x85ebca6b) >>> 0;
  return mixed === 0 ? 1 : mixed;
}

/** Fisher-Yates, in place. */
export function shuffle(list, random) {
  for (let i = list.length - 1; i > 0; i--) {
    const j = Math.floor(random.next() * (i + 1));
    [list[i], list[j]] = [list[j], list[i]];
  }
}
