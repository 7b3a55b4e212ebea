/** A thing of a region. Its id for the fleet carries the region, so that it can be asked about without guessing where it is. */
export interface Place {
  readonly region: string;
  readonly id: string;
}

/** Also part of a host name, so nothing else may stand there. */
const REGION = /^[a-z]{2,12}(-[a-z0-9]{1,20}){1,4}$/;
const ID = /^[a-z]{1,6}-[A-Za-z0-9]{1,64}$/;

export function isRegion(text: string): boolean {
  return REGION.test(text);
}

/** `cn-hangzhou/i-bp1abc` */
export function placedId(region: string, id: string): string {
  return `${region}/${id}`;
}

/** Undefined for what was never an id of ours: there is no such thing. `kind`: `i`, `d` or `s`. */
export function placeOf(placed: string, kind: "i" | "d" | "s"): Place | undefined {
  const [region = "", id = "", ...rest] = placed.split("/");
  return rest.length === 0 && isRegion(region) && ID.test(id) && id.startsWith(`${kind}-`) ? { region, id } : undefined;
}
