import type { CredentialOperations } from "./provider.ts";

/** A key that lasts until it is taken back, of a cloud that has no documented way of telling whose it is. */
export const LASTING_KEY: CredentialOperations = {
  account: async () => null,
  expiry: async () => ({ expiresAt: null, renews: true, why: "an API key, which lasts until it is revoked" }),
};
