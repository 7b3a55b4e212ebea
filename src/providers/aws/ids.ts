/** A resource and the region it lies in: without the region nobody could be asked about it. */
export interface Placed {
  readonly region: string;
  readonly id: string;
}

const REGION = /^[a-z]{2,4}(?:-[a-z]+)+-\d{1,2}$/;
const ID = /^(?:i|vol|snap|sir)-[0-9a-z]{8,32}$/;

/** `us-east-1/i-0abc…` */
export function placedId({ region, id }: Placed): string {
  return `${region}/${id}`;
}

/** Undefined for what is no id of this kind: such a thing never was. */
export function placed(providerId: string, kind: "i" | "vol" | "snap" | "sir"): Placed | undefined {
  const [region = "", id = "", ...more] = providerId.split("/");
  return more.length === 0 && REGION.test(region) && ID.test(id) && id.startsWith(`${kind}-`) ? { region, id } : undefined;
}

export function isRegion(text: string): boolean {
  return REGION.test(text);
}
