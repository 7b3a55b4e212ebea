// Apart from its only user, so that it is loaded for YAML alone; a static import, since a bundle gives `import("yaml")` no names.
import { Document, visit } from "yaml";
import { escapedSigns, hasObeyedSigns } from "../platform/terminal.ts";

export function yamlText(value: unknown): string {
  const document = new Document(value);
  // Only between double quotes can a sign be written in another way.
  visit(document, {
    Scalar(_, node) {
      if (typeof node.value === "string" && hasObeyedSigns(node.value)) node.type = "QUOTE_DOUBLE";
    },
  });
  return escapedSigns(document.toString());
}
