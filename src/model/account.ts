/** Whose a machine is at its cloud: an account, a project, an organisation. */
export interface Account {
  readonly id: string;
  /** As people call it, where the cloud says. */
  readonly name: string | null;
}

/** For people: "210000000001", "Acme (42)". */
export function accountText({ id, name }: Account): string {
  return name === null ? id : `${name} (${id})`;
}
