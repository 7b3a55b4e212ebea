import { DescribeInstancesCommand, type DescribeInstancesCommandInput, type Instance } from "@aws-sdk/client-ec2";
import { isFault, ProviderError } from "../errors.ts";
import type { CallContext } from "../provider.ts";
import type { Api } from "./api.ts";
import { PROVIDER, saysNotFound } from "./codes.ts";
import { type Placed, placedId } from "./ids.ts";
import { everyPage } from "./pages.ts";

/** The machines of the account, as EC2 has them. */
export interface Machines {
  list(region: string, context: CallContext): Promise<readonly Instance[]>;
  withToken(region: string, tag: string, token: string, context: CallContext): Promise<Instance | undefined>;
  /**
   * Undefined only when it is gone: EC2 is consistent after a while, and says "not found" of a machine that it has just made.
   * It is asked again after a moment, another way; and one that this process launched is not given up for two minutes.
   */
  get(machine: Placed, context: CallContext): Promise<Instance | undefined>;
  remember(region: string, instance: Instance): void;
}

/** The most that the action takes; EC2 may give fewer. */
const PER_PAGE = 1_000;
const LOOK_AGAIN_AFTER_MS = 1_000;
/** Longer than anybody has seen it last. */
const FRESH_MS = 120_000;

function instancesIn(what: string, ask: (token: { readonly NextToken?: string }) => Promise<Reservations>): Promise<readonly Instance[]> {
  return everyPage(what, ask, (page) => page.Reservations?.flatMap(({ Instances }) => Instances ?? []));
}
type Reservations = {
  readonly Reservations?: { readonly Instances?: Instance[] | undefined }[] | undefined;
  readonly NextToken?: string | undefined;
};

export function machines(api: Api): Machines {
  const launched = new Map<string, { readonly at: number; readonly instance: Instance }>();
  const described = (region: string, input: DescribeInstancesCommandInput, context: CallContext) =>
    instancesIn("machines", (token) =>
      api.ask(region, context, (ec2, options) => ec2.send(new DescribeInstancesCommand({ ...input, ...token }), options)),
    );
  const look = async ({ region, id }: Placed, context: CallContext): Promise<Instance | undefined> => {
    try {
      // Ids and a page size do not go together.
      const [found] = await described(region, { InstanceIds: [id] }, context);
      if (found !== undefined && found.InstanceId !== id)
        throw new ProviderError(PROVIDER, { kind: "protocol" }, `asked for ${id}, told of ${found.InstanceId}`);
      return found;
    } catch (error) {
      const isMissing = isFault(error, "not-found") || (error instanceof ProviderError && saysNotFound(error.rawCode));
      if (!isMissing) throw error;
      return undefined;
    }
  };
  const fresh = (machine: Placed): Instance | undefined => {
    const key = placedId(machine);
    const one = launched.get(key);
    if (one !== undefined && api.now() - one.at < FRESH_MS) return one.instance;
    launched.delete(key);
    return undefined;
  };
  return {
    list: (region, context) => described(region, { MaxResults: PER_PAGE }, context),
    withToken: async (region, tag, token, context) =>
      (await described(region, { Filters: [{ Name: `tag:${tag}`, Values: [token] }], MaxResults: PER_PAGE }, context)).find(
        ({ State }) => State?.Name !== "terminated",
      ),
    async get(machine, context) {
      const found = await look(machine, context);
      if (found !== undefined) {
        launched.delete(placedId(machine));
        return found;
      }
      const own = fresh(machine);
      if (own !== undefined) return own;
      await api.sleep(LOOK_AGAIN_AFTER_MS, context);
      const Filters = [{ Name: "instance-id", Values: [machine.id] }];
      return (await described(machine.region, { Filters }, context)).find(({ InstanceId }) => InstanceId === machine.id);
    },
    remember: (region, instance) => void launched.set(placedId({ region, id: instance.InstanceId ?? "" }), { at: api.now(), instance }),
  };
}
