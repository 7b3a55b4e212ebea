import type { CredentialOperations } from "../provider.ts";
import type { Ecs } from "./client.ts";

/** The keys are read once, so whose they are is asked once. */
export function credentialsOf(ecs: Pick<Ecs, "account" | "isTemporary">): CredentialOperations {
  let known: Promise<string | null> | undefined;
  return {
    async account(context) {
      const asked = known ?? ecs.account(context);
      known = asked;
      try {
        const id = await asked;
        return id === null ? null : { id, name: null };
      } catch (error) {
        if (known === asked) known = undefined;
        throw error;
      }
    },
    expiry: async () =>
      (await ecs.isTemporary())
        ? { expiresAt: null, renews: false, why: "a security token from the environment, and nobody says when it ends" }
        : { expiresAt: null, renews: true, why: "an access key, which lasts until it is revoked" },
  };
}
