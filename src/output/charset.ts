/**
 * Whether a terminal shows more than ASCII: the locale says so (`LC_ALL`, else `LC_CTYPE`, else `LANG`). Where nobody says
 * anything (cron, a container, Windows) it is taken to, as it is everywhere else in the program.
 */
export function isUnicode(env: Readonly<Record<string, string | undefined>>): boolean {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find((text) => text !== undefined && text !== "");
  return locale === undefined || /utf-?8/i.test(locale);
}
