const UNITS = ["B", "kB", "MB", "GB", "TB"] as const;

/** For people, in powers of a thousand as disks are sold: "0 B", "512 B", "1.4 MB", "20 GB". */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits).replace(/\.0$/, "")} ${UNITS[unit]}`;
}
