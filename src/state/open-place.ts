import type { State } from "./records.ts";
import { statePlace } from "./state-place.ts";

/** Opens the state wherever the environment says that it lies. @throws Problem when that is not possible. */
export async function openStateOf({
  home,
  env,
  signal,
}: {
  readonly home: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal: AbortSignal;
}): Promise<State> {
  const place = statePlace(home, env);
  if (place.kind === "sqlite") return (await import("./open.ts")).openState(place.path);
  const { openPostgresState } = await import("./open-postgres.ts");
  return openPostgresState(place, { signal });
}
