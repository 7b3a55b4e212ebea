import type { World } from "../../platform/world.ts";
import { accessOf } from "../credentials.ts";
import { PROVIDER } from "./codes.ts";

export type GcpWorld = Pick<World, "env" | "home" | "clock">;

/**
 * Google's images with drivers, CUDA and Docker, of a project of its own. The name of the family is from memory and not
 * verified live; `--image` or SPOT_GCP_IMAGE names another one.
 */
const DEEP_LEARNING_IMAGE = "projects/deeplearning-platform-release/global/images/family/common-cu128-ubuntu-2204-nvidia-570";
const DISK_TYPE = "pd-balanced";
const NETWORK = "default";
const LOGIN = "spot";

/** What the environment says about how this cloud is used. */
export interface Settings {
  /** Of the Compute Engine API and of the billing catalogue, without a slash at the end. */
  readonly computeUrl: string;
  readonly billingUrl: string;
  /** The endpoint is not Google's: nothing of Google's own is asked, then. */
  readonly isMoved: boolean;
  readonly login: string;
  readonly image: string;
  readonly diskType: string;
  readonly network: string;
  /** Offers of these regions only; all of them when there are none. */
  readonly regions: readonly string[];
  /** Ask for the notice of 120 s, which is a preview. */
  readonly wantsNotice: boolean;
}

export function settingsOf({ env }: Pick<GcpWorld, "env">): Settings {
  const { endpoint } = accessOf(PROVIDER);
  const given = (name: string) => env[name]?.trim() || undefined;
  const moved = given(endpoint.variable)?.replace(/\/+$/, "");
  return {
    computeUrl: moved ?? endpoint.url,
    billingUrl: moved ?? "https://cloudbilling.googleapis.com",
    isMoved: moved !== undefined,
    login: given("SPOT_GCP_SSH_USER") ?? LOGIN,
    image: given("SPOT_GCP_IMAGE") ?? DEEP_LEARNING_IMAGE,
    diskType: given("SPOT_GCP_DISK_TYPE") ?? DISK_TYPE,
    network: given("SPOT_GCP_NETWORK") ?? NETWORK,
    regions: (given("SPOT_GCP_REGIONS") ?? "")
      .split(",")
      .map((region) => region.trim())
      .filter((region) => region !== ""),
    wantsNotice: /^120s?$/.test(given("SPOT_GCP_PREEMPTION_NOTICE") ?? ""),
  };
}
