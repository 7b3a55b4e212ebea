import type { AsleepBook } from "../../model/asleep.ts";
import { NOVITA_ASLEEP, PPIO_ASLEEP } from "./sleep.ts";

/** What differs between the two houses that speak this API; everything else is one and the same. */
export interface Vendor {
  readonly id: "ppio" | "novita";
  /** ISO 4217; no answer names it. */
  readonly currency: "CNY" | "USD";
  /**
   * What is started when no image is asked for: PyTorch with CUDA 12.8, which runs on every GPU that is offered (cards from
   * Ada to Blackwell). PPIO's is from its own public registry, because the usual one is slow to reach from its clusters.
   */
  readonly defaultImage: string;
  readonly asleep: AsleepBook;
}

export const PPIO: Vendor = {
  id: "ppio",
  currency: "CNY",
  defaultImage: "image.ppinfra.com/prod-gpucloudpublic/pytorch:2.7.1-cuda12.8",
  asleep: PPIO_ASLEEP,
};

export const NOVITA: Vendor = {
  id: "novita",
  currency: "USD",
  defaultImage: "pytorch/pytorch:2.7.1-cuda12.8-cudnn9-runtime",
  asleep: NOVITA_ASLEEP,
};
