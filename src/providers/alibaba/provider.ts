import { ProviderError } from "../errors.ts";
import { keptAnswers } from "../kept-answers.ts";
import type { Capabilities, Provider } from "../provider.ts";
import { type AlibabaWorld, ecsClient } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import { credentialsOf } from "./credentials.ts";
import { destroyInstance } from "./destroy.ts";
import { disksOf } from "./disks.ts";
import { NOTICE_SECONDS } from "./instances.ts";
import { launchInstance } from "./launch.ts";
import { leftoversOf } from "./leftovers.ts";
import { LIST_SETTLES_MS, machinesOf } from "./machines.ts";
import { network } from "./network.ts";
import { allOffers } from "./offers.ts";
import { placeOf } from "./place.ts";
import { priceHistoryOf } from "./price-history.ts";
import { regionsOf } from "./regions.ts";
import { turns } from "./side-by-side.ts";
import { ALIBABA_ASLEEP } from "./sleep.ts";
import { spotPrices } from "./spot-prices.ts";
import { sshKeys } from "./ssh-key.ts";
import { volumeOperations } from "./volumes.ts";

/** Requests under way at once, over all regions. How many a second the cloud takes is not documented. */
const MOST_AT_ONCE = 8;

const CAPABILITIES: Omit<Capabilities, "protectionSeconds"> = {
  noticeSeconds: NOTICE_SECONDS,
  // Native hibernation is by invitation only, and an economical stop cannot be relied upon: it may fall back in silence.
  hibernate: "park",
  // What a repeat with the same ClientToken is answered is not documented, and our release time moves with the clock.
  idempotentLaunch: false,
  pollMs: 3_000,
  listSettlesMs: LIST_SETTLES_MS,
  volumes: true,
  zonalVolumes: true,
  endsAtTtl: true,
  restartsReclaimed: false,
  listEvery: {
    ms: 15_000,
    why: "a notice comes about 300 s before the end, of which 15 s are a twentieth; every region is asked by itself, and its limits, per account, region, call and minute, are told in the console alone",
  },
  // A guest that shuts down may be billed on (KeepCharging).
  machine: { kind: "vm", notices: "alibaba", endsItself: false, volumes: "device" },
  retainsAddress: false,
  keepsRoot: false,
  // What protection there is belongs to the machine: with SpotDuration 1 its first hour.
  billsMarketPrice: true,
  freeIfReclaimedWithinMs: 0,
  stoppedBillsGpu: true,
  whyNoStop:
    "a machine that is stopped at Alibaba Cloud may be billed in full (KeepCharging), without a word, where its type cannot stop economically",
  asleep: ALIBABA_ASLEEP,
};

const PROTECTION = "SPOT_ALIBABA_PROTECTION";

/** An hour without reclaims, or `none` for the lower market price without it. */
function protectionOf(text: string | undefined): { readonly spotDuration: 0 | 1; readonly isUnderstood: boolean } {
  const wanted = text?.trim().toLowerCase() ?? "";
  return { spotDuration: wanted === "none" ? 0 : 1, isUnderstood: ["", "hour", "none"].includes(wanted) };
}

/** Alibaba Cloud ECS preemptible instances. Facts and their sources: docs/providers/alibaba.md. */
export async function alibabaProvider(world: AlibabaWorld): Promise<Provider> {
  const ecs = ecsClient(world);
  const { spotDuration, isUnderstood } = protectionOf(world.env[PROTECTION]);
  const requireUnderstood = () => {
    if (!isUnderstood)
      throw new ProviderError(
        PROVIDER,
        { kind: "invalid-request" },
        `${PROTECTION} can be "hour" or "none": it changes what a machine costs`,
      );
  };
  const capabilities: Capabilities = { ...CAPABILITIES, protectionSeconds: spotDuration * 3_600 };
  const user = world.env["SPOT_ALIBABA_SSH_USER"]?.trim() || "root";
  const turn = turns(MOST_AT_ONCE);
  const regions = regionsOf(ecs, world, turn);
  const disks = disksOf(ecs);
  const prices = spotPrices(ecs);
  const machines = machinesOf({ ecs, regions, disks, prices, user });
  const market = { ecs, kept: keptAnswers(PROVIDER, world), regions, prices, turn, spotDuration };
  const ground = { ecs, network: network(ecs), keys: sshKeys(ecs), disks, spotDuration, user };
  return {
    id: PROVIDER,
    capabilities,
    async offers(query, context) {
      requireUnderstood();
      return allOffers(market, capabilities, query, context);
    },
    async launch(spec, context) {
      requireUnderstood();
      const instance = await launchInstance(ground, spec, context);
      machines.rememberLaunch(instance);
      return instance;
    },
    list: (context) => machines.list(context),
    async get(providerId, context) {
      const place = placeOf(providerId, "i");
      return place === undefined ? undefined : machines.get(place, context);
    },
    async destroy(providerId, context) {
      const place = placeOf(providerId, "i");
      return place === undefined ? "gone" : destroyInstance(ecs, machines, place, context);
    },
    volumes: volumeOperations(ecs, regions, disks),
    priceHistory: priceHistoryOf(market, requireUnderstood),
    credentials: credentialsOf(ecs),
    leftovers: leftoversOf(ecs, regions),
  };
}
