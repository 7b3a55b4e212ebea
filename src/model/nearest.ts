/** Levenshtein distance with a bound: anything past `limit` is reported as `limit + 1`. */
function distance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) > limit) return limit + 1;
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return previous[b.length] ?? limit + 1;
}

/** The known word that a mistyped one most likely meant, or undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3) + 1);
  const lower = word.toLowerCase();
  const ranked = known
    .map((candidate) => ({ candidate, gap: distance(lower, candidate.toLowerCase(), limit) }))
    .filter(({ gap }) => gap <= limit)
    .sort((a, b) => a.gap - b.gap || a.candidate.localeCompare(b.candidate));
  return ranked[0]?.candidate;
}

/** A sentence for an error: `did you mean "H100"?`, or the list of what is known. */
export function suggestion(word: string, known: readonly string[]): string {
  const guess = nearest(word, known);
  return guess === undefined ? `known: ${[...known].sort().join(", ")}` : `did you mean ${JSON.stringify(guess)}?`;
}
