import type { Clock } from "../platform/clock.ts";
import { ProviderError } from "./errors.ts";
import type { Provider } from "./provider.ts";

/**
 * The same provider, with a line for each call: its name, how long it took, and how it ended. Arguments are never
 * written: a launch carries the workload's environment.
 */
export function withTrace(provider: Provider, clock: Clock, line: (text: string) => void): Provider {
  const traced =
    <Args extends readonly unknown[], Result>(name: string, send: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      const start = clock.monotonic();
      const say = (outcome: string) => line(`${provider.id}.${name} ${outcome} in ${(clock.monotonic() - start).toFixed(0)} ms`);
      try {
        const result = await send(...args);
        say("answered");
        return result;
      } catch (error) {
        say(
          error instanceof ProviderError ? `failed (${error.fault.kind}${error.rawCode === null ? "" : `, ${error.rawCode}`})` : "failed",
        );
        throw error;
      }
    };
  const { volumes, hibernation, billing, leftovers, credentials } = provider;
  return {
    ...provider,
    offers: traced("offers", provider.offers),
    launch: traced("launch", provider.launch),
    list: traced("list", provider.list),
    get: traced("get", provider.get),
    destroy: traced("destroy", provider.destroy),
    ...(volumes === undefined
      ? {}
      : {
          volumes: {
            ...volumes,
            create: traced("volumes.create", volumes.create),
            list: traced("volumes.list", volumes.list),
            remove: traced("volumes.remove", volumes.remove),
            ...(volumes.attach === undefined ? {} : { attach: traced("volumes.attach", volumes.attach) }),
            ...(volumes.snapshots === undefined
              ? {}
              : {
                  snapshots: {
                    create: traced("snapshots.create", volumes.snapshots.create),
                    list: traced("snapshots.list", volumes.snapshots.list),
                    remove: traced("snapshots.remove", volumes.snapshots.remove),
                  },
                }),
          },
        }),
    ...(hibernation === undefined
      ? {}
      : {
          hibernation: {
            hibernate: traced("hibernation.hibernate", hibernation.hibernate),
            restore: traced("hibernation.restore", hibernation.restore),
          },
        }),
    ...(leftovers === undefined
      ? {}
      : { leftovers: { list: traced("leftovers.list", leftovers.list), remove: traced("leftovers.remove", leftovers.remove) } }),
    ...(credentials === undefined
      ? {}
      : {
          credentials: {
            account: traced("credentials.account", credentials.account),
            expiry: traced("credentials.expiry", credentials.expiry),
          },
        }),
    ...(billing === undefined ? {} : { billing: { billed: traced("billing.billed", billing.billed) } }),
  };
}
