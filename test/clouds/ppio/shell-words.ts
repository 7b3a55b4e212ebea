/** Splits a command line as a POSIX shell splits it into words, without expanding anything. */
export function shellWords(text: string): readonly string[] {
  const words: string[] = [];
  let word: string | null = null;
  let quote: "'" | '"' | null = null;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i] ?? "";
    if (quote === "'" || quote === '"') {
      if (letter === quote) quote = null;
      else if (quote === '"' && letter === "\\" && /["\\$`]/.test(text[i + 1] ?? "")) word = `${word ?? ""}${text[++i] ?? ""}`;
      else word = `${word ?? ""}${letter}`;
    } else if (letter === "'" || letter === '"') {
      quote = letter;
      word ??= "";
    } else if (letter === "\\") word = `${word ?? ""}${text[++i] ?? ""}`;
    else if (/\s/.test(letter)) {
      if (word !== null) words.push(word);
      word = null;
    } else word = `${word ?? ""}${letter}`;
  }
  if (quote !== null) throw new Error("a quote is not closed");
  return word === null ? words : [...words, word];
}
