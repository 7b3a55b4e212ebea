import { createHash } from "node:crypto";
import { homedir } from "node:os";
import { join } from "node:path";
import { cronKeeper } from "../../platform/service-cron.ts";
import { launchdKeeper } from "../../platform/service-launchd.ts";
import type { Keeper, KeeperWorld } from "../../platform/service-plan.ts";
import { servicePrograms, userName, userNumber } from "../../platform/service-programs.ts";
import { systemdKeeper } from "../../platform/service-systemd.ts";
import type { World } from "../../platform/world.ts";

/** What keepers need of this world. A home of its own has a service of its own, so that two never take each other's place. */
export function keeperWorld(world: World): KeeperWorld {
  const { env, home, clock, signal } = world;
  const userHome = env["HOME"] || homedir();
  const config = env["XDG_CONFIG_HOME"];
  return {
    userHome,
    configHome: config?.startsWith("/") === true ? config : join(userHome, ".config"),
    uid: userNumber(),
    userName: userName(),
    tag: isUsualHome(world, userHome) ? "" : `-${createHash("sha256").update(home).digest("hex").slice(0, 8)}`,
    logFile: join(home, "service.log"),
    run: servicePrograms(env, signal),
    clock,
  };
}

/** The folder that `SPOT_HOME` need not name (`spotHome` in src/world.ts). */
function isUsualHome({ env, home, platform }: World, userHome: string): boolean {
  const data = env["XDG_DATA_HOME"];
  const usual =
    platform === "darwin"
      ? join(userHome, "Library", "Application Support", "spot")
      : join(data?.startsWith("/") === true ? data : join(userHome, ".local", "share"), "spot");
  return home === usual;
}

/** What can keep a service on such a machine, best first. */
export function keepersOf({ platform }: Pick<World, "platform">, outside: KeeperWorld): readonly Keeper[] {
  return [platform === "darwin" ? launchdKeeper(outside) : systemdKeeper(outside), cronKeeper(outside)];
}

/** Those of them that keep something for this home. One that cannot be asked keeps nothing that we know of. */
export async function installedKeepers(keepers: readonly Keeper[]): Promise<readonly Keeper[]> {
  const texts = await Promise.all(keepers.map((keeper) => keeper.installed().catch(() => undefined)));
  return keepers.filter((_, index) => texts[index] !== undefined);
}
