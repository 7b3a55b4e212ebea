/**
 * Says that something cannot be tested here for want of a program. Where CI runs, which installs them all, that is a failure:
 * a test that is always skipped guards nothing.
 */
export function isMissing(program: string, what: string): void {
  if ((process.env["CI"] ?? "") !== "") throw new Error(`CI must install ${program}: ${what}`);
  process.stderr.write(`skipped, ${program} is not installed: ${what}\n`);
}
