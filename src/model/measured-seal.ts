/** What an agent said of its checkpoints when it was last asked. */
export interface MeasuredSeal {
  /** The provider's id of the machine: another one measures anew. */
  readonly machine: string;
  /** When it said so, in epoch milliseconds by our clock. */
  readonly at: number;
  /** What its last checkpoint took, its hook included. */
  readonly checkpointSeconds: number;
  /** How often one is made by the clock; null where it did not say. */
  readonly everySeconds: number | null;
}

/** The last word of the machine that an instance has, or had last where it rests; null when there is none. Pure. */
export function sealMeasured(record: {
  readonly providerId: string | null;
  readonly outlook: { readonly sealing?: MeasuredSeal };
}): MeasuredSeal | null {
  const { sealing } = record.outlook;
  return sealing !== undefined && (record.providerId === null || record.providerId === sealing.machine) ? sealing : null;
}
