import { isFault, ProviderError } from "../errors.ts";
import type { Leftover, LeftoverOperations } from "../provider.ts";
import type { Ecs } from "./client.ts";
import { PROVIDER } from "./codes.ts";
import { GROUP_NAME } from "./network.ts";
import { jsonList } from "./parameters.ts";
import type { Regions } from "./regions.ts";
import { doneSchema, groupList, keyPairList } from "./wire.ts";

/** Of a group and of a key pair (help.aliyun.com/document_detail/51772.html) that a machine has. */
const STILL_USED = /^DependencyViolation|KeypairAlreadyAttachedInstance$/;
/** `ssh-key.ts` */
const KEY_PAIR = /^spot-fleet-[0-9a-f]{16}$/;

/**
 * What a launch makes beside its machine: a key pair and a security group, which cost nothing and are shared. Addresses are none
 * of it: a machine's public one is its own, and goes with it; ours never have an EIP.
 */
export function leftoversOf(ecs: Ecs, regions: Regions): LeftoverOperations {
  return {
    async list(context, { harmless }) {
      if (!harmless) return [];
      return regions.everywhere(context, async (region, own) => {
        const { KeyPairs } = await ecs.read(
          {
            region,
            action: "DescribeKeyPairs",
            parameters: { RegionId: region, KeyPairName: "spot-fleet-*", PageSize: 50 },
            answer: keyPairList,
          },
          own,
        );
        const { SecurityGroups } = await ecs.read(
          { region, action: "DescribeSecurityGroups", parameters: { RegionId: region, SecurityGroupName: GROUP_NAME }, answer: groupList },
          own,
        );
        const common = {
          class: "harmless",
          token: null,
          region,
          zone: "",
          rawState: "",
          createdAt: null,
          price: null,
          attachedTo: null,
        } as const;
        return [
          ...KeyPairs.KeyPair.filter(({ KeyPairName }) => KEY_PAIR.test(KeyPairName)).map(
            ({ KeyPairName: name }): Leftover => ({ ...common, kind: "key-pair", providerId: `${region}/${name}`, name }),
          ),
          // The name is searched for, so others may come along.
          ...SecurityGroups.SecurityGroup.filter(({ SecurityGroupName }) => SecurityGroupName === GROUP_NAME).map(
            ({ SecurityGroupId: id, SecurityGroupName: name }): Leftover => ({
              ...common,
              kind: "security-group",
              providerId: `${region}/${id}`,
              name,
            }),
          ),
        ];
      });
    },
    async remove({ kind, providerId }, context) {
      const [region = "", id = ""] = providerId.split("/");
      const isKey = kind === "key-pair";
      if (!isKey && kind !== "security-group") return;
      const parameters = { RegionId: region, ...(isKey ? { KeyPairNames: jsonList([id]) } : { SecurityGroupId: id }) };
      try {
        await ecs.change({ region, action: isKey ? "DeleteKeyPairs" : "DeleteSecurityGroup", parameters, answer: doneSchema }, context);
      } catch (error) {
        if (isFault(error, "not-found")) return;
        // Something is still in it: that will pass once its machine is gone.
        if (error instanceof ProviderError && STILL_USED.test(error.rawCode ?? ""))
          throw new ProviderError(PROVIDER, { kind: "conflict" }, error.message, error.rawCode, error);
        throw error;
      }
    },
  };
}
