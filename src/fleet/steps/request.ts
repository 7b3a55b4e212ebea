import type { Interruptions } from "../../model/checkpoint-interval.ts";
import { CLOUD_SLACK_MS } from "../../model/guard.ts";
import type { Offer } from "../../model/offer.ts";
import { BUNDLED_RATE } from "../../pricing/currency.ts";
import type { Provider, ProviderInstance } from "../../providers/provider.ts";
import type { InstanceRecord, VolumeRecord } from "../../state/records.ts";
import { interruptionsOf } from "../deciding/checkpoint-interval.ts";
import { priceCap } from "../deciding/offer-choice.ts";
import { call, type Fleet } from "../fleet.ts";
import { peerKeys } from "../peers.ts";
import { copyOf } from "../volumes/volumes.ts";

/**
 * The agent ends the machine at its TTL, after a last seal; the cloud's own limit comes this much later, for the case that
 * the agent cannot.
 */
const TTL_SLACK_SECONDS = CLOUD_SLACK_MS / 1000;

/** How often such a machine is interrupted, as far as anybody can say now. */
export async function interruptionsAt(fleet: Fleet, offer: Offer): Promise<Interruptions> {
  return interruptionsOf(offer, fleet.neighbours?.records ?? (await fleet.state.instances()), fleet.clock.now());
}

/**
 * The checkpoint without which nothing may start on a volume that began empty for it, or that was made from a snapshot of such a
 * one; null for any other volume.
 */
async function awaitedOn(fleet: Fleet, volume: VolumeRecord | null): Promise<string | null> {
  let copy = volume === null ? undefined : await copyOf(fleet, volume);
  while (copy !== undefined && copy.source === undefined && copy.snapshot !== null) copy = await copyOf(fleet, { id: copy.of });
  return copy?.source === undefined ? null : copy.checkpoint;
}

/** Asks for one machine. What it is to be is written down already, under this token. @throws ProviderError */
export async function requestMachine(
  fleet: Fleet,
  record: InstanceRecord,
  provider: Provider,
  offer: Offer,
  parts: { readonly token: string; readonly volume: VolumeRecord | null; readonly root: VolumeRecord | undefined },
  signal: AbortSignal,
): Promise<ProviderInstance> {
  const { spec } = record;
  const { token, volume, root } = parts;
  const sshKey = provider.capabilities.machine.kind === "process" ? null : await fleet.guest.publicKey(signal);
  const peers = sshKey === null ? [] : await peerKeys(fleet, sshKey);
  const beside = sshKey === null || peers.length === 0 ? undefined : { ourKey: sshKey, keys: peers };
  const bootScript = await fleet.guest.bootScript(record, provider.capabilities, beside, await awaitedOn(fleet, volume));
  return call(signal, (context) =>
    provider.launch(
      {
        name: record.name,
        token: token,
        offer,
        // Null where nobody named one: the price of the moment would be a limit, and the next rise of the market a reclaim.
        maxPrice: priceCap(spec, offer.price.currency, fleet.exchange ?? BUNDLED_RATE),
        image: spec.image,
        volumes: volume?.providerId == null ? [] : [{ providerVolumeId: volume.providerId, mount: spec.volume?.mount ?? "/data" }],
        env: {},
        bootScript,
        sshKey,
        ...(peers.length === 0 ? {} : { peerKeys: peers }),
        ports: spec.ports,
        registryAuth: spec.registryAuth,
        rootVolumeId: root?.providerId ?? null,
        ttlSeconds:
          record.ttlEndsAt === null ? null : Math.max(1, Math.ceil((record.ttlEndsAt - fleet.clock.now()) / 1000)) + TTL_SLACK_SECONDS,
        labels: spec.labels,
        ...(spec.onReclaim === "wait" ? { waitsForCapacity: true } : {}),
      },
      context,
    ),
  );
}

/**
 * Looks for the machine of a launch whose answer got lost. It may have arrived at the very end of a long wait: only now
 * begins the time in which it is sure to be listed.
 */
export async function findLaunched(
  fleet: Fleet,
  provider: Provider,
  token: string,
  signal: AbortSignal,
): Promise<ProviderInstance | undefined> {
  const until = fleet.clock.monotonic() + provider.capabilities.listSettlesMs;
  for (;;) {
    const listed = await call(signal, (context) => provider.list(context)).catch(() => []);
    const found = listed.find((instance) => instance.token === token);
    const restMs = until - fleet.clock.monotonic();
    if (found !== undefined || restMs <= 0) return found;
    await fleet.clock.sleep(Math.min(Math.max(500, provider.capabilities.pollMs), restMs), signal);
  }
}
