import type { Instance } from "./instances.ts";
import type { PpioSettings } from "./settings.ts";
import { shellWords } from "./shell-words.ts";

/** What a container of this cloud needs of the room where fake clouds run real machines. */
export interface ContainerRoom {
  boot(order: {
    readonly id: string;
    readonly kind: "container";
    readonly boot: { readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>> };
    readonly authorizedKeys: readonly string[];
    readonly mounts: readonly { readonly path: string; readonly volumeId: string }[];
  }): Promise<StartedMachine>;
  eraseVolume(volumeId: string): void;
}

export interface StartedMachine {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  halt(): Promise<void>;
  erase(): Promise<void>;
}

export type MachineStarter = (instance: Instance, settings: PpioSettings) => Promise<StartedMachine>;

/** What the container's first process is. No document says how `command` is split, so it can be had both ways. */
export function containerArgv(
  { entrypoint, command }: Pick<Instance["order"], "entrypoint" | "command">,
  { commandIs }: Pick<PpioSettings, "commandIs">,
): readonly string[] {
  const given = command === "" ? [] : commandIs === "words" ? shellWords(command) : ["sh", "-c", command];
  return [...shellWords(entrypoint), ...given];
}

export function machineStarter(room: ContainerRoom): MachineStarter {
  return (instance, settings) =>
    room.boot({
      id: instance.id,
      kind: "container",
      boot: {
        argv: containerArgv(instance.order, settings),
        env: Object.fromEntries(instance.order.envs.map(({ key, value }) => [key, value])),
      },
      // The platform knows no key of ours: whoever wants one in the machine puts it there.
      authorizedKeys: [],
      mounts: instance.order.storages.map(({ id, mountPoint }) => ({ path: mountPoint, volumeId: id })),
    });
}
