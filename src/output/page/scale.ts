/** The steps of an axis from zero that holds `most`: 1, 2 or 5 times a power of ten, at most `steps` of them. */
export function axisSteps(most: number, steps = 5): readonly number[] {
  if (!(most > 0) || !Number.isFinite(most)) return [0, 1];
  const rough = most / steps;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough * (1 - 1e-9)) ?? 10 * power;
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

/** A place on an axis as a share of its length in percent, to the thousandth, never outside. */
export function percent(value: number, most: number): string {
  const share = most > 0 && value > 0 ? Math.min(1, value / most) : 0;
  return (share * 100).toFixed(3).replace(/\.?0+$/, "");
}
