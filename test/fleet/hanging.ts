import type { Provider } from "../../src/providers/provider.ts";

/** Never answers; gives up with whoever asked. */
export function silence(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const give = () => reject(signal.reason);
    if (signal.aborted) give();
    signal.addEventListener("abort", give, { once: true });
  });
}

/** The provider, with one of its calls hanging: before it does anything, or after it was done. */
export function hanging(provider: Provider, call: string, isDone: boolean): Provider {
  const through =
    <Args extends readonly unknown[], Result>(name: string, send: (...args: Args) => Promise<Result>) =>
    async (...args: Args): Promise<Result> => {
      if (name !== call) return send(...args);
      if (isDone) await send(...args);
      const context = args.find((arg): arg is { signal: AbortSignal } => typeof arg === "object" && arg !== null && "signal" in arg);
      return silence(context?.signal ?? AbortSignal.abort());
    };
  const { volumes, hibernation } = provider;
  const snapshots = volumes?.snapshots;
  return {
    ...provider,
    offers: through("offers", provider.offers),
    launch: through("launch", provider.launch),
    list: through("list", provider.list),
    get: through("get", provider.get),
    destroy: through("destroy", provider.destroy),
    ...(volumes === undefined
      ? {}
      : {
          volumes: {
            ...volumes,
            create: through("volume create", volumes.create),
            list: through("volume list", volumes.list),
            ...(volumes.attach === undefined ? {} : { attach: through("attach", volumes.attach) }),
            ...(snapshots === undefined
              ? {}
              : {
                  snapshots: {
                    ...snapshots,
                    create: through("snapshot", snapshots.create),
                    list: through("snapshot list", snapshots.list),
                  },
                }),
          },
        }),
    ...(hibernation === undefined
      ? {}
      : { hibernation: { hibernate: through("hibernate", hibernation.hibernate), restore: through("restore", hibernation.restore) } }),
  };
}
