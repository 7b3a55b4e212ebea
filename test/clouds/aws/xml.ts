/** An element of EC2's XML: either text or children; attributes are not needed. */
export interface Element {
  readonly name: string;
  text: string;
  children: Element[];
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function decoded(text: string): string {
  return text.replaceAll(/&(#x?[0-9a-fA-F]+|[a-z]+);/g, (whole, name: string) => {
    if (!name.startsWith("#")) return ENTITIES[name] ?? whole;
    return String.fromCodePoint(name[1] === "x" ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1)));
  });
}

function encoded(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** Reads what moto writes. @throws Error on anything that is no such XML. */
export function parseXml(xml: string): Element {
  const root: Element = { name: "", text: "", children: [] };
  const open: Element[] = [root];
  let end = 0;
  for (const match of xml.matchAll(/<(\/?)([\w:.-]+)([^>]*?)(\/?)>/g)) {
    const [whole, closes, name = "", , isEmpty] = match;
    const top = open.at(-1);
    if (top === undefined) throw new Error("XML that ends twice");
    top.text += decoded(xml.slice(end, match.index));
    end = match.index + whole.length;
    if (closes === "/") {
      if (open.pop()?.name !== name) throw new Error(`</${name}> closes nothing`);
      continue;
    }
    const element: Element = { name, text: "", children: [] };
    top.children.push(element);
    if (isEmpty !== "/") open.push(element);
  }
  const [only] = root.children;
  if (open.length !== 1 || only === undefined) throw new Error(`no XML: ${xml.slice(0, 200)}`);
  return only;
}

export function printXml({ name, text, children }: Element): string {
  const inside = children.length > 0 ? children.map(printXml).join("") : encoded(text);
  return inside === "" ? `<${name}/>` : `<${name}>${inside}</${name}>`;
}

/** What a document is made of: text, a list of `item`s, or named children; undefined leaves the element out. */
export type Content = string | number | boolean | undefined | readonly Content[] | Element | { readonly [name: string]: Content };

function isElement(content: Content): content is Element {
  return typeof content === "object" && "children" in content && "name" in content && "text" in content;
}

export function element(name: string, content: Content): Element {
  if (content === undefined) return { name, text: "", children: [] };
  if (typeof content !== "object") return { name, text: String(content), children: [] };
  if (Array.isArray(content)) return { name, text: "", children: content.map((one: Content) => element("item", one)) };
  if (isElement(content)) return { ...content, name };
  const parts = Object.entries(content).filter(([, value]) => value !== undefined);
  return { name, text: "", children: parts.map(([key, value]) => element(key, value)) };
}

export function child(parent: Element | undefined, name: string): Element | undefined {
  return parent?.children.find((one) => one.name === name);
}

/** The text at a path of names, "" where there is none. */
export function textAt(parent: Element | undefined, ...path: readonly string[]): string {
  return path.reduce<Element | undefined>(child, parent)?.text ?? "";
}

/** The items of a list at a path of names. */
export function itemsAt(parent: Element | undefined, ...path: readonly string[]): readonly Element[] {
  return path.reduce<Element | undefined>(child, parent)?.children.filter(({ name }) => name === "item") ?? [];
}

/** Puts a child in the place of the one with its name, or takes that one out. */
export function put(parent: Element, name: string, content: Content): void {
  const at = parent.children.findIndex((one) => one.name === name);
  if (content === undefined) {
    if (at >= 0) parent.children.splice(at, 1);
    return;
  }
  const made = element(name, content);
  if (at >= 0) parent.children[at] = made;
  else parent.children.push(made);
}
