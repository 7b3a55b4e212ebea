/** A process that owns leases, as it is written into them. */
export interface Owner {
  readonly host: string;
  readonly pid: number;
  /** With the number it tells a process from a later one of the same number. */
  readonly startTime: string;
  /** The computer, and on it the space of process numbers; empty when it is not known. Two computers may have one host name. */
  readonly computer: string;
}

/** @param id makes two fleets of one process two owners. */
export function ownerText({ host, pid, startTime, computer }: Owner, id: string): string {
  return JSON.stringify([host, pid, startTime, id, computer]);
}

/** Undefined for a text that is none of ours. */
export function ownerOf(text: string): Owner | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!Array.isArray(parts)) return undefined;
  const [host, pid, startTime, , computer = ""]: readonly unknown[] = parts;
  if (typeof host !== "string" || typeof pid !== "number" || typeof startTime !== "string" || typeof computer !== "string")
    return undefined;
  return { host, pid, startTime, computer };
}
