// Apart from its only user, so that it is loaded for YAML alone; a static import, since a bundle gives `import("yaml")` no names.
import { stringify } from "yaml";

export function yamlText(value: unknown): string {
  return stringify(value);
}
