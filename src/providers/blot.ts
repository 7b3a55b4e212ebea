const SHORTEST_SECRET = 6;
const CREDENTIAL_HEADER = /auth|key|token|secret|cookie/i;

function literally(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** A secret as it may stand in JSON, in a URL or as it is: other than letters and digits, a character can be written in several ways. */
function anyForm(secret: string): RegExp {
  const forms = [...secret].map((character) => {
    if (/[A-Za-z0-9]/.test(character)) return character;
    const unit = `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
    return `(?:${[character, `\\${character}`, unit, encodeURIComponent(character)].map(literally).join("|")})`;
  });
  return new RegExp(forms.join(""), "gi");
}

/** The longest part of a secret that stands there in every form, in small letters; empty when there is none. */
function commonPart(secret: string): string {
  const parts = secret.split(/[^A-Za-z0-9]+/);
  return parts.reduce((longest, part) => (part.length > longest.length ? part : longest), "").toLowerCase();
}

/** A text in which none of these secrets can be read any more. Very short ones stay: every text would have them. */
export function blotted(text: string, secrets: readonly string[]): string {
  // Each secret is looked for in every answer and nearly none has one; a signature is a new secret each time, and its pattern dear.
  const small = text.toLowerCase();
  let safe = text;
  for (const secret of secrets)
    if (secret.length >= SHORTEST_SECRET && small.includes(commonPart(secret))) safe = safe.replaceAll(anyForm(secret), "[hidden]");
  return safe;
}

/** What the headers of a request give away: each value, and what follows its scheme (`Bearer …`). */
export function secretsIn(headers: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(headers)
    .filter(([name]) => CREDENTIAL_HEADER.test(name))
    .flatMap(([, value]) => [value, value.replace(/^\S+\s+/, "")]);
}
