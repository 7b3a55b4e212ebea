import type { Fleet } from "../../src/fleet/fleet.ts";
import { instanceLease } from "../../src/fleet/leases/lease.ts";
import { volumeLease } from "../../src/fleet/volumes/volumes.ts";
import type { Change, CommitResult, State } from "../../src/state/records.ts";
import type { PaperCloud } from "./paper-cloud.ts";

/** Sees whatever a process does that changes something, at the moment at which it does it. */
export interface Witness {
  /** A request that changes something leaves. */
  sends(process: Pick<Fleet, "owner" | "leases">, name: string, args: readonly unknown[]): Promise<void>;
  commits(process: Pick<Fleet, "owner" | "leases">, change: Change, result: CommitResult): Promise<void>;
}

const named = (value: unknown) => (typeof value === "object" && value !== null && "name" in value ? String(value.name) : "");

/**
 * What must hold at every moment: who acts under a lease has it. A process is held to what it believes: to the leases that it has
 * taken and not given back, whether or not it has noticed by now that another one has them.
 * @param seen where what does not hold is written down
 */
export function trespassWitness(state: State, cloud: PaperCloud, now: () => number, seen: string[]): Witness {
  const machineLease = async (id: unknown) => {
    const record = await state.instanceByName(cloud.machines.get(String(id))?.name ?? "");
    // A machine that is no longer the record's is ended as a stray, by whoever finds it.
    return record === undefined || record.providerId !== id ? [] : [instanceLease(record.id)];
  };
  const about = async (name: string, [first, second]: readonly unknown[]): Promise<readonly string[]> => {
    if (name === "launch") {
      const record = await state.instanceByName(named(first));
      return record === undefined ? [] : [instanceLease(record.id)];
    }
    if (name === "volume create") return [volumeLease(named(first))];
    if (name === "volume remove") return [volumeLease(cloud.volumes.get(String(first))?.spec.name ?? "")];
    if (name.startsWith("volume") || name.startsWith("snapshot")) return machineLease(second);
    return machineLease(first);
  };
  const check = async ({ owner, leases }: Pick<Fleet, "owner" | "leases">, names: readonly string[], what: string) => {
    for (const name of names) {
      if ((leases.tenures.get(name)?.renewed ?? null) === null) continue;
      const holder = await state.leaseHolder(name, now());
      if (holder !== undefined && holder.owner !== owner) seen.push(`${owner}: ${what}, while ${holder.owner} has ${name}`);
    }
  };
  return {
    async sends(process, name, args) {
      await check(process, ["controller", ...(await about(name, args))], `${name} ${named(args[0]) || String(args[0])}`);
    },
    async commits(process, change, result) {
      if (result !== "committed") return;
      const record = change.instance === undefined ? [] : [instanceLease(change.instance.id)];
      await check(process, [...new Set([...record, ...(change.under?.leases ?? [])])], `commit of ${Object.keys(change)}`);
    },
  };
}
