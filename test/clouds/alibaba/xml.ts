function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function element(name: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map((one) => element(name, one)).join("");
  const inner =
    typeof value === "object"
      ? Object.entries(value)
          .map(([key, one]) => element(key, one))
          .join("")
      : escaped(String(value));
  return `<${name}>${inner}</${name}>`;
}

/** An answer in this cloud's older form: what it sends to whoever does not ask for JSON. */
export function toXml(root: string, value: unknown): string {
  return `<?xml version="1.0" encoding="UTF-8"?>${element(root, value)}`;
}
