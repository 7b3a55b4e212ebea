const TOKEN = /(?:^|-)(t-[0-9a-z]{1,32})$/;

/**
 * The visible name of a resource at a cloud that has no place for a tag: ours, then the token of the promise behind it.
 * Ours is cut where the cloud allows fewer characters; the token never is.
 */
export function taggedName(name: string, token: string, mostCharacters: number): string {
  const room = mostCharacters - token.length - 1;
  return `${name.slice(0, room).replace(/-+$/, "")}-${token}`;
}

/** The token in such a name; null when it carries none of ours. */
export function tokenOf(name: string): string | null {
  return TOKEN.exec(name)?.[1] ?? null;
}

/** Such a name without its token. */
export function untaggedName(name: string): string {
  return name.replace(TOKEN, "");
}
