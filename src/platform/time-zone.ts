/** The time zone that this computer (or `TZ`) is set to; UTC where nobody says. */
export function computerZone(): string {
  try {
    const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
    // "Etc/Unknown", and what a newer operating system knows and this Node does not.
    new Intl.DateTimeFormat("en-US", { timeZone: zone });
    return zone;
  } catch {
    return "UTC";
  }
}
