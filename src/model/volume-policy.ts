/** What may become of a volume when the instance that has it is ended on purpose. */
export const VOLUME_POLICIES = ["keep", "snapshot", "snapshot-and-delete", "delete"] as const;

export type VolumePolicy = (typeof VOLUME_POLICIES)[number];

export function isVolumePolicy(word: unknown): word is VolumePolicy {
  return VOLUME_POLICIES.some((policy) => policy === word);
}

/** Whether the provider's own snapshot of it is made first. */
export function makesSnapshot(policy: VolumePolicy): boolean {
  return policy === "snapshot" || policy === "snapshot-and-delete";
}

/** Whether the volume and every checkpoint on it are over afterwards. */
export function deletesVolume(policy: VolumePolicy): boolean {
  return policy === "delete" || policy === "snapshot-and-delete";
}
